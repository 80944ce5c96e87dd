import type { Fingerprint } from './jobs.ts'

/** `asleep`: begun before the page was loaded, and the file has to be chosen again. */
export type RowState =
  | 'queued'
  | 'starting'
  | 'sending'
  | 'paused'
  | 'asleep'
  | 'finishing'
  | 'processing'
  | 'ready'
  | 'failed'

/** One file in the list of uploads. */
export interface Row extends Fingerprint {
  readonly id: number
  state: RowState
  /** Bytes that have left. */
  sent: number
  bytesPerSecond: number
  /** Nothing answers just now. */
  silent: boolean
  error: unknown
  playbackId: string
  /** Of the processing, in per cent. */
  progress: number
  playable: boolean
}

/** How much of a file has left, from 0 to 1. */
export function shareOf({ sent, size }: Pick<Row, 'sent' | 'size'>): number {
  return size > 0 ? Math.min(1, sent / size) : 0
}

/** How long the rest takes at this pace; `undefined` while that cannot be told. */
export function leftMsOf({ sent, size, bytesPerSecond }: Row): number | undefined {
  return bytesPerSecond > 0 ? ((size - sent) * 1000) / bytesPerSecond : undefined
}

/** Whether bytes are, or are about to be, on their way. */
export function isRunning({ state }: Row): boolean {
  return state === 'starting' || state === 'sending' || state === 'finishing'
}
