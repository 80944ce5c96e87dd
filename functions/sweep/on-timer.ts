import * as v from 'valibot'
import { errorFields, log } from '../../shared/log.ts'
import { DUE_SHARDS, type DueTable, type Hint, type Ref } from '../../shared/tables/due.ts'
import { type AuditDeps, audit } from './audit.ts'
import { lookAtUpload, type UploadDeps } from './look-at-upload.ts'
import { lookAtVideo, type VideoDeps } from './look-at-video.ts'
import { nextTry } from './next-look.ts'
import { lookAtMedia, type PurgeDeps } from './purge.ts'

type LookDeps = VideoDeps & UploadDeps & PurgeDeps & AuditDeps
export type Deps = Omit<LookDeps, 'isLate'> & {
  readonly due: DueTable
  /** How long a run may begin new work; well below the function's time limit. */
  readonly budgetMs: number
}

/** The event of a timer trigger, https://help.aliyun.com/document_detail/171746.html */
const TimerEvent = v.object({ triggerName: v.string(), triggerTime: v.string() })

const HINTS_OF_A_SHARD = 50
const LOOKS_AT_ONCE = 8
/** A hint never leads to another look in the same run. */
const NOT_NOW_MS = 1_000

/**
 * Follows every hint whose time has come. To look is always safe, so runs may overlap, be cut off, or never come; what was
 * not looked at keeps its hint. Then a slice of the audit, if there is time.
 */
export async function onTimer(event: unknown, deps: Deps): Promise<void> {
  const { triggerName } = v.parse(TimerEvent, event)
  const startedAt = deps.now()
  const run: LookDeps = { ...deps, isLate: () => deps.now() - startedAt >= deps.budgetMs }
  let looks = 0
  for (;;) {
    const hints = await readyHints(startedAt, run)
    looks += await follow(byRef(hints), run)
    if (hints.length === 0 || run.isLate()) break
  }
  const lost = run.isLate() ? 0 : await audit(run)
  log('info', 'swept', { triggerName, looks, lost, late: run.isLate() })
}

async function readyHints(now: number, run: LookDeps): Promise<Hint[]> {
  const shards = Array.from({ length: DUE_SHARDS }, (_, shard) => run.due.ready(shard, now, HINTS_OF_A_SHARD))
  return (await Promise.all(shards)).flat().sort((a, b) => a.dueAt - b.dueAt)
}

/** Several hints for one thing are one look. */
function byRef(hints: readonly Hint[]): (readonly [string, Hint[]])[] {
  const groups = new Map<string, Hint[]>()
  for (const hint of hints) groups.set(hint.ref, [...(groups.get(hint.ref) ?? []), hint])
  return [...groups]
}

/** A few at a time, the oldest first, until all are followed or the time is up; answers how many were. */
async function follow(groups: (readonly [string, Hint[]])[], run: LookDeps): Promise<number> {
  const waiting = groups.values()
  let followed = 0
  const worker = async () => {
    for (const [ref, hints] of waiting) {
      if (run.isLate()) return
      await followOne(ref, hints, run)
      followed += 1
    }
  }
  await Promise.all(Array.from({ length: LOOKS_AT_ONCE }, worker))
  return followed
}

/** The next hint comes before the old ones go, so that there is always one as long as there is something to wait for. */
async function followOne(ref: string, hints: readonly Hint[], run: LookDeps): Promise<void> {
  const { next, failures } = await tryToLook(ref, hints, run)
  if (next !== undefined) await run.due.put(ref as Ref, Math.max(next, run.now() + NOT_NOW_MS), failures)
  await run.due.remove(hints)
}

/** A look that fails is put off, more each time, and does not keep the others from theirs. */
async function tryToLook(ref: string, hints: readonly Hint[], run: LookDeps) {
  try {
    return { next: await look(ref, run), failures: 0 }
  } catch (error) {
    const failures = Math.max(...hints.map((hint) => hint.failures)) + 1
    log('error', 'look failed', { ref, failures, ...errorFields(error) })
    return { next: nextTry(failures, run.now()), failures }
  }
}

function look(ref: string, run: LookDeps): Promise<number | undefined> {
  const [kind, id = ''] = ref.split('#', 2)
  if (kind === 'video') return lookAtVideo(id, run)
  if (kind === 'upload') return lookAtUpload(id, run)
  if (kind === 'media') return lookAtMedia(id, run)
  throw new Error(`expected a hint for a video, an upload or a media, not ${kind}`)
}
