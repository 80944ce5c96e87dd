import { AppError } from '../../shared/errors.ts'
import type { Call } from '../functions/world.ts'

export const HANDLERS = [
  'sts-token',
  'upload-notify',
  'ffmpeg-transcode',
  'mps-callback',
  'hls-index',
  'play-redirect',
  'heartbeat',
  'videos',
  'sweep',
] as const
export type Handler = (typeof HANDLERS)[number]

/** What goes wrong once; `nth` counts from 0 among the calls, or the deliveries, of one handler. */
export type Fault =
  | { readonly of: 'call'; readonly nth: number; readonly when: Call['phase']; readonly outcome: 'fails' | 'dies' }
  | { readonly of: 'delivery'; readonly nth: number; readonly outcome: 'twice' | 'twice at once' | 'lost' }

/** The event never reached its handler, or the handler never answered. */
export class Gone extends Error {
  constructor(what: string) {
    super(what)
    this.name = 'Gone'
  }
}

/** Delivers events to handlers, and sees to it that one thing goes wrong with one of them. */
export function newDeliveries(victim: Handler, fault: Fault | undefined) {
  const calls: Call[] = []
  const seen: string[] = []
  let running = 0
  let isSpared = false
  let isDead = false
  let hasStruck = false

  function strikes(call: Call): boolean {
    if (fault?.of !== 'call' || call.phase !== fault.when || hasStruck) return false
    if (calls[fault.nth]?.id !== call.id) return false
    hasStruck = true
    isDead = fault.outcome === 'dies'
    return true
  }

  async function once<T>(run: () => Promise<T>): Promise<T> {
    running += 1
    try {
      const result = await run()
      // Whatever a process made of its last moments, nobody hears of it.
      if (isDead) throw new Gone('died')
      return result
    } catch (error) {
      throw isDead ? new Gone('died') : error
    } finally {
      isDead = false
      running -= 1
    }
  }

  return {
    /** What the victim has called so far. */
    calls: calls as readonly Call[],
    /** What was delivered to the victim so far. */
    seen: seen as readonly string[],
    hasStruck: () => hasStruck,
    /** What leads to the beginning of a case is no part of it. */
    async unharmed<T>(work: () => Promise<T>): Promise<T> {
      isSpared = true
      try {
        return await work()
      } finally {
        isSpared = false
      }
    },
    onCall(call: Call): void {
      if (running === 0) return
      if (isDead) throw new Gone('died')
      if (call.phase === 'before') calls.push(call)
      if (strikes(call)) throw new AppError('upstream_busy', `${call.name} failed ${call.phase} its effect`)
    },
    async deliver<T>(handler: Handler, what: string, run: () => Promise<T>): Promise<T> {
      if (handler !== victim || isSpared) return run()
      seen.push(what)
      if (fault?.of !== 'delivery' || seen.length - 1 !== fault.nth || hasStruck) return once(run)
      hasStruck = true
      if (fault.outcome === 'lost') throw new Gone('lost')
      return fault.outcome === 'twice' ? answerOf([await settled(run), await settled(run)]) : both(run)
    },
  }

  async function settled<T>(run: () => Promise<T>): Promise<PromiseSettledResult<T>> {
    return (await Promise.allSettled([once(run)]))[0]
  }

  async function both<T>(run: () => Promise<T>): Promise<T> {
    return answerOf(await Promise.allSettled([once(run), once(run)]))
  }
}

/** Who sent something that arrived twice hears one answer, the better one. */
function answerOf<T>(answers: readonly PromiseSettledResult<T>[]): T {
  for (const answer of answers) if (answer.status === 'fulfilled') return answer.value
  throw answers.find((answer) => answer.status === 'rejected')?.reason
}
