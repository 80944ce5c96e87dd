import { readFileSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { StartupError } from './start-error.ts'

interface Owner {
  readonly pid: number
  /** When the process began, as the system counts; a process id alone may have been given to another since. */
  readonly born: string
}

/** Takes a data folder for this process; throws when another one that is alive has it. */
export async function lockData(dataDir: string): Promise<() => Promise<void>> {
  const path = join(dataDir, 'lock')
  const mine = JSON.stringify({ pid: process.pid, born: bornAt(process.pid) } satisfies Owner)
  for (let tries = 0; tries < 3; tries++) {
    const taken = await writeFile(path, mine, { flag: 'wx' }).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'EEXIST') return false
        throw error
      },
    )
    if (taken) return () => rm(path, { force: true })
    const owner = await readOwner(path)
    if (owner && isAlive(owner)) {
      throw new StartupError(`${dataDir} is in use by process ${owner.pid}; stop it, or start with another --data`)
    }
    await rm(path, { force: true })
  }
  throw new StartupError(`${path} cannot be taken: somebody else keeps taking it`)
}

async function readOwner(path: string): Promise<Owner | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Owner
  } catch {
    return undefined
  }
}

function isAlive({ pid, born }: Owner): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  return bornAt(pid) === born
}

/**
 * Start time out of /proc; the same word for every process where there is no /proc. A process that is over keeps its
 * entry until somebody asks how it ended, which in a container may be never.
 */
function bornAt(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? 'over' : (fields[19] ?? '')
  } catch {
    return 'unknown'
  }
}
