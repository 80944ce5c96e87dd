import type { PlayInfo } from '../../shared/api.ts'
import { ApiError, ask } from '../http.ts'

/** The answer to "what is there to play". `silent`: nobody answered, so the connection is down. */
export type Found =
  | { readonly kind: 'info'; readonly info: PlayInfo }
  | { readonly kind: 'later'; readonly silent: boolean }
  | { readonly kind: 'missing' }
  | { readonly kind: 'refused'; readonly error: ApiError }

export interface Viewer {
  /** Whoever is signed in. */
  readonly authorization: string | undefined
  /** Whoever is not. */
  readonly viewerId: string
}

/** Asks what there is to play; what may pass by itself is told apart from what will not. */
export async function fetchPlayInfo(playbackId: string, viewer: Viewer): Promise<Found> {
  const { authorization, viewerId } = viewer
  const query = authorization === undefined ? `?viewerId=${viewerId}` : ''
  try {
    const { data } = await ask<PlayInfo>('GET', `/play/${playbackId}${query}`, {
      ...(authorization === undefined ? {} : { authorization }),
    })
    return { kind: 'info', info: data }
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    // A session that is over is no reason not to watch.
    if (error.status === 401 && authorization !== undefined) {
      return fetchPlayInfo(playbackId, { authorization: undefined, viewerId })
    }
    return foundBy(error)
  }
}

function foundBy(error: ApiError): Found {
  const { status } = error
  if (status === 0) return { kind: 'later', silent: true }
  if (status >= 500 || status === 429) return { kind: 'later', silent: false }
  return status === 404 ? { kind: 'missing' } : { kind: 'refused', error }
}
