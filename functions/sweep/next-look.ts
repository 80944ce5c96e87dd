import type { Task } from '../../shared/tables/tasks.ts'

const SHORTEST_MS = 60_000
/** While somebody works on it, a worker that died in silence should not stay unnoticed for long. */
const LONGEST_AT_WORK_MS = 120_000
/** What waits for an instance, or for a service that fails, may wait long. */
const LONGEST_MS = 480_000

/**
 * When to look at a video again that is still being made: a quarter of its age later, within bounds. Always on a whole
 * multiple of the distance, so that however many hints there are for one video, they soon fall on the same moment and
 * become one.
 */
export function nextLook(createdAt: number, tasks: readonly Task[], now: number): number {
  const isAtWork = tasks.some((task) => task.state === 'running')
  const longest = isAtWork ? LONGEST_AT_WORK_MS : LONGEST_MS
  let distance = SHORTEST_MS
  while (distance < longest && distance * 4 < now - createdAt) distance *= 2
  return (Math.floor(now / distance) + 1) * distance
}

/** When to look again at something at which the last looks have failed, so that it does not take the place of others. */
export function nextTry(failures: number, now: number): number {
  return now + Math.min(3_600_000, SHORTEST_MS * 2 ** Math.min(failures, 10))
}
