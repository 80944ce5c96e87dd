import { spawn } from 'node:child_process'
import { readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { StartupError } from '../start-error.ts'

/**
 * Refuses a folder with an lmdb file that is broken: lmdb itself would end the process without a word. Files that have
 * not changed since the last orderly stop are not read again.
 */
export async function checkIndexes(dataDir: string): Promise<void> {
  const files = await statesOf(dataDir)
  const known = await readKnown(dataDir)
  const changed = Object.keys(files).filter((name) => files[name] !== known[name])
  if (changed.length === 0) return
  const paths = changed.map((name) => join(dataDir, name))
  const { whole, reason } = await readInChild(paths)
  const broken = paths.find((path) => !whole.includes(path))
  if (broken === undefined) return
  throw new StartupError(`${broken} is broken (${reason}): put a copy in its place, or start with another --data`)
}

/** Remembers the files as they are after an orderly stop. */
export async function rememberIndexes(dataDir: string): Promise<void> {
  const path = join(dataDir, KNOWN)
  await writeFile(`${path}.new`, `${JSON.stringify(await statesOf(dataDir), null, 2)}\n`)
  await rename(`${path}.new`, path)
}

const KNOWN = 'indexes.json'

/** Size and time of change of every lmdb file; each has a folder of its own in the data folder or in a service's. */
async function statesOf(dataDir: string): Promise<Record<string, string>> {
  const states: Record<string, string> = {}
  for (const service of await foldersIn(dataDir)) {
    // What functions keep for themselves is no concern of ours.
    if (service === 'tmp') continue
    const inner = await foldersIn(join(dataDir, service))
    for (const name of [service, ...inner.map((folder) => join(service, folder))]) {
      const path = join(name, 'data.mdb')
      const found = await stat(join(dataDir, path)).catch(() => undefined)
      if (found) states[path] = `${found.size} ${found.mtimeMs}`
    }
  }
  return states
}

async function foldersIn(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true })
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
}

async function readKnown(dataDir: string): Promise<Record<string, string>> {
  try {
    return JSON.parse(await readFile(join(dataDir, KNOWN), 'utf8')) as Record<string, string>
  } catch {
    return {}
  }
}

async function readInChild(paths: readonly string[]): Promise<{ whole: readonly string[]; reason: string }> {
  const script = fileURLToPath(new URL('read-index.mjs', import.meta.url))
  const child = spawn(process.execPath, [script, ...paths], { stdio: ['ignore', 'pipe', 'pipe'] })
  const output = { out: '', err: '' }
  child.stdout.on('data', (chunk) => {
    output.out += chunk
  })
  child.stderr.on('data', (chunk) => {
    output.err += chunk
  })
  const [status, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (...how) => resolve(how))
  })
  if (!output.out.startsWith('\n')) throw new Error(`the files cannot be read: ${output.err}`)
  const message = /^(?:\w*Error: )(.*)$/m.exec(output.err)?.[1]
  return { whole: output.out.split('\n'), reason: message ?? `reading it ends with ${signal ?? `status ${status}`}` }
}
