import type { Answer, PlayInfo, Problem } from '../shared/api.ts'

/** The one answer a page cannot wait out: the reason is a sentence for the person in front of it. */
export class PlayInfoError extends Error {}

/** Asks what there is to play; failures that may pass by themselves are answered with `undefined`. */
export async function fetchPlayInfo(playbackId: string): Promise<PlayInfo | undefined> {
  const response = await fetch(`/play/${playbackId}`, { credentials: 'omit' }).catch(() => undefined)
  if (response === undefined || response.status >= 500 || response.status === 429) return undefined
  if (response.ok) return ((await response.json()) as Answer<PlayInfo>).data
  if (response.status === 404) throw new PlayInfoError('There is no video at this address. It may have been removed.')
  const problem = (await response.json().catch(() => ({}))) as Partial<Problem>
  throw new PlayInfoError(problem.detail ?? problem.title ?? `The server answered ${response.status}.`)
}

/** The playback id in the address of a watch page. */
export function playbackIdOf(pathname: string): string | undefined {
  return /^\/watch\/([A-Za-z0-9]+)\/?$/.exec(pathname)?.[1]
}

/** `1:02:03` or `2:03`. */
export function clockText(durationMs: number): string {
  const seconds = Math.round(durationMs / 1000)
  const two = (part: number) => String(part).padStart(2, '0')
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes}:${two(seconds % 60)}`
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`
}
