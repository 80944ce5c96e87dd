import { createHash } from 'node:crypto'
import { isPlayable, type Listing, listingsOf, masterPlaylist, mediaPlaylist } from '../../shared/hls.ts'
import type { Rendition } from '../../shared/tables/renditions.ts'
import type { SegmentRun } from '../../shared/tables/segments.ts'

/** A playlist as it is answered. */
export interface Playlist {
  readonly text: string
  readonly etag: string
  /** Whether it will never change. */
  readonly final: boolean
}

/** What can be fetched of one media at one moment; grows until it is final. */
export interface Publication {
  readonly playable: boolean
  readonly final: boolean
  /** Listed segments of all renditions together. */
  readonly segments: number
  /** How many segments of a rendition may be fetched; `undefined` when there is no such rendition. */
  listed(rendition: string): number | undefined
  master(): Playlist
  media(rendition: string): Playlist | undefined
}

/** The publication of a plan's renditions; each playlist is written when it is first asked for, and then kept. */
export function publicationOf(renditions: readonly Rendition[], runs: readonly SegmentRun[]): Publication {
  const listings = new Map(listingsOf(renditions, runs).map((listing) => [listing.rendition.name, listing]))
  const all = [...listings.values()]
  const final = all.length > 0 && all.every((listing) => listing.final)
  const written = new Map<string, Playlist>()

  function kept(name: string, isFinal: boolean, write: () => string): Playlist {
    const playlist = written.get(name) ?? playlistOf(write(), isFinal)
    written.set(name, playlist)
    return playlist
  }

  return {
    playable: isPlayable(all),
    final,
    segments: all.reduce((sum, listing) => sum + listing.durationsUs.length, 0),
    listed: (rendition) => listings.get(rendition)?.durationsUs.length,
    master: () => kept('', final, () => masterPlaylist(all)),
    media(rendition) {
      const listing: Listing | undefined = listings.get(rendition)
      return listing && kept(rendition, listing.final, () => mediaPlaylist(listing))
    },
  }
}

function playlistOf(text: string, final: boolean): Playlist {
  return { text, etag: `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`, final }
}
