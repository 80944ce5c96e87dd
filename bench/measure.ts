import { readdir, readFile } from 'node:fs/promises'

/** One line of the result: what was measured, beside what it is measured against. */
export interface Row {
  readonly name: string
  /** What the ratio is taken against, measured in the same run. */
  readonly baseline: string
  /** Of every round, in order; odd ones out show how noisy the machine was. */
  readonly ratios: readonly number[]
  readonly target: number
  /** `most`: the ratio should not be above the target. `least`: not below. */
  readonly sense: 'most' | 'least'
  readonly detail: string
}

/** The middle of some numbers. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2
}

/** Runs both sides in turn, so that whatever else the machine does falls on both; gives the ratio of every round. */
export async function interleave(
  rounds: number,
  subject: () => Promise<number>,
  baseline: () => Promise<number>,
): Promise<{ ratios: number[]; subject: number; baseline: number }> {
  const subjects: number[] = []
  const baselines: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    const subjectFirst = round % 2 === 0
    if (subjectFirst) subjects.push(await subject())
    baselines.push(await baseline())
    if (!subjectFirst) subjects.push(await subject())
  }
  const ratios = subjects.map((value, at) => value / (baselines[at] ?? Number.NaN))
  return { ratios, subject: median(subjects), baseline: median(baselines) }
}

/** CPU time of a running process in milliseconds, all threads; children not included. Linux only. */
export async function cpuMs(pid: number): Promise<number> {
  const threads = await readdir(`/proc/${pid}/task`)
  const times = await Promise.all(
    threads.map(async (thread) => {
      const text = await readFile(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').catch(() => '0')
      return Number(text.split(' ', 1)[0])
    }),
  )
  return times.reduce((sum, nanoseconds) => sum + nanoseconds, 0) / 1e6
}

interface Stat {
  readonly pid: number
  readonly parent: number
  /** Own time and that of children that have ended, in milliseconds. */
  readonly ownMs: number
  readonly endedChildrenMs: number
}

/** CPU time of everything below a process, ended children of running ones included, in milliseconds. Linux only. */
export async function cpuMsBelow(root: number): Promise<number> {
  const stats = await allStats()
  const below = (pid: number): number =>
    stats
      .filter((stat) => stat.parent === pid)
      .reduce((sum, stat) => sum + stat.ownMs + stat.endedChildrenMs + below(stat.pid), 0)
  return below(root)
}

/** CPU time of children of this process that have ended, in milliseconds. */
export async function endedChildrenMs(): Promise<number> {
  const stat = (await allStats()).find((one) => one.pid === process.pid)
  return stat?.endedChildrenMs ?? 0
}

/** The kernel counts in ticks of 10 ms, https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
const TICK_MS = 10

async function allStats(): Promise<Stat[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const texts = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')))
  return texts.flatMap((text) => {
    if (text === '') return []
    // The name is in parentheses and may hold anything, so fields are counted from its end.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const at = (field: number) => Number(fields[field - 3])
    return [
      {
        pid: Number.parseInt(text, 10),
        parent: at(4),
        ownMs: (at(14) + at(15)) * TICK_MS,
        endedChildrenMs: (at(16) + at(17)) * TICK_MS,
      },
    ]
  })
}
