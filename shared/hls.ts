import { type Prefix, publishedOf } from './published.ts'
import type { Rendition } from './tables/renditions.ts'
import type { SegmentRun } from './tables/segments.ts'

/** What a media playlist may list of one rendition, and what a redirect may lead to. */
export interface Listing {
  readonly rendition: Rendition
  /** Lengths and sizes of the listed segments, in order. */
  readonly durationsUs: readonly number[]
  readonly sizesBytes: readonly number[]
  /** Every planned segment is listed: nothing will be added. */
  readonly final: boolean
}

/**
 * What may be served of every rendition of one plan: the stored segments that start before the published moment, so that
 * a player which changes the rendition never runs past what the others have.
 */
export function listingsOf(renditions: readonly Rendition[], runs: readonly SegmentRun[]): Listing[] {
  const { prefixes, untilUs } = publishedOf(renditions, runs)
  return renditions.map((rendition, index) => listingOf(rendition, prefixes[index], untilUs, runs))
}

/** Whether a master playlist may be served: every rendition has something to show. */
export function isPlayable(listings: readonly Listing[]): boolean {
  return listings.length > 0 && listings.every((listing) => listing.durationsUs.length > 0)
}

function listingOf(
  rendition: Rendition,
  prefix: Prefix | undefined,
  untilUs: number,
  runs: readonly SegmentRun[],
): Listing {
  const own = runs.filter((run) => run.rendition === rendition.name).sort((a, b) => a.firstSegment - b.firstSegment)
  const stored = prefix?.count ?? 0
  const durations = own.flatMap((run) => run.durationsUs.slice(0, run.count)).slice(0, stored)
  const listed = countBefore(durations, untilUs)
  return {
    rendition,
    durationsUs: durations.slice(0, listed),
    sizesBytes: own.flatMap((run) => run.sizesBytes.slice(0, run.count)).slice(0, listed),
    final: prefix?.complete === true && listed === rendition.segmentCount,
  }
}

function countBefore(durationsUs: readonly number[], untilUs: number): number {
  let startUs = 0
  let count = 0
  for (const duration of durationsUs) {
    if (startUs >= untilUs) break
    startUs += duration
    count += 1
  }
  return count
}

/**
 * The media playlist of one rendition. Until it is final it is an EVENT playlist with an explicit start, since players
 * begin near the end of a playlist that may still grow (RFC 8216, 4.3.5.2 and 6.3.3). Decimal lengths need version 3.
 */
export function mediaPlaylist(listing: Listing): string {
  const head = [
    '#EXTM3U',
    '#EXT-X-VERSION:3',
    `#EXT-X-TARGETDURATION:${listing.rendition.targetDuration}`,
    '#EXT-X-MEDIA-SEQUENCE:0',
    `#EXT-X-PLAYLIST-TYPE:${listing.final ? 'VOD' : 'EVENT'}`,
    '#EXT-X-INDEPENDENT-SEGMENTS',
    ...(listing.final ? [] : ['#EXT-X-START:TIME-OFFSET=0,PRECISE=YES']),
  ]
  let text = `${head.join('\n')}\n`
  let index = 0
  for (const duration of listing.durationsUs) {
    text += `#EXTINF:${seconds(duration)},\n${index}.ts\n`
    index += 1
  }
  return listing.final ? `${text}#EXT-X-ENDLIST\n` : text
}

/** Whole microseconds as decimal seconds, without the rounding of a division. */
function seconds(us: number): string {
  const whole = Math.floor(us / 1_000_000)
  return `${whole}.${String(us - whole * 1_000_000).padStart(6, '0')}`
}

/**
 * The master playlist: every video rendition, tallest first, with the sound as a group of its own. Bit rates are the
 * planned limits until everything is final, then what was measured. Version 4, since renditions apart from the video
 * came with it (RFC 8216, 7).
 */
export function masterPlaylist(listings: readonly Listing[]): string {
  const audio = listings.find((listing) => listing.rendition.kind === 'audio')
  const measured = listings.every((listing) => listing.final)
  const lines = ['#EXTM3U', '#EXT-X-VERSION:4', '#EXT-X-INDEPENDENT-SEGMENTS']
  if (audio) {
    const { name } = audio.rendition
    lines.push(
      `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="${name}",DEFAULT=YES,AUTOSELECT=YES,URI="${name}/index.m3u8"`,
    )
  }
  for (const listing of listings) {
    if (listing.rendition.kind !== 'video') continue
    lines.push(
      `#EXT-X-STREAM-INF:${streamAttributes(listing, audio, measured)}`,
      `${listing.rendition.name}/index.m3u8`,
    )
  }
  return `${lines.join('\n')}\n`
}

function streamAttributes(video: Listing, audio: Listing | undefined, measured: boolean): string {
  const { width, height, frameRateMilli, codecs } = video.rendition
  const attributes = [
    ...bitRates(audio ? [video, audio] : [video], measured),
    `CODECS="${audio ? `${codecs},${audio.rendition.codecs}` : codecs}"`,
    `RESOLUTION=${width}x${height}`,
  ]
  if (frameRateMilli > 0) attributes.push(`FRAME-RATE=${(frameRateMilli / 1000).toFixed(3)}`)
  if (audio) attributes.push('AUDIO="audio"')
  return attributes.join(',')
}

function bitRates(parts: readonly Listing[], measured: boolean): string[] {
  if (!measured) return [`BANDWIDTH=${sumOf(parts, (part) => part.rendition.maxBandwidth)}`]
  return [`BANDWIDTH=${sumOf(parts, peakBitRate)}`, `AVERAGE-BANDWIDTH=${sumOf(parts, averageBitRate)}`]
}

function sumOf(parts: readonly Listing[], rate: (part: Listing) => number): number {
  return Math.max(
    1,
    parts.reduce((sum, part) => sum + rate(part), 0),
  )
}

function averageBitRate({ durationsUs, sizesBytes }: Listing): number {
  return bitRate(total(sizesBytes), total(durationsUs))
}

/**
 * The peak as RFC 8216, 4.1 defines it: the largest rate of any run of segments that lasts between half and one and a half
 * target durations; of the whole, when it is shorter than that.
 */
function peakBitRate(listing: Listing): number {
  const { durationsUs, sizesBytes } = listing
  const targetUs = listing.rendition.targetDuration * 1_000_000
  let peak = 0
  let first = 0
  let lastedUs = 0
  let bytes = 0
  for (const [index, duration] of durationsUs.entries()) {
    lastedUs += duration
    bytes += sizesBytes[index] ?? 0
    while (lastedUs > targetUs * 1.5 && first < index) {
      lastedUs -= durationsUs[first] ?? 0
      bytes -= sizesBytes[first] ?? 0
      first += 1
    }
    peak = Math.max(peak, peakEndingHere(listing, first, index, lastedUs, bytes))
  }
  return peak === 0 ? averageBitRate(listing) : peak
}

/** The largest rate of the runs that end at `last` and are long enough, from the longest allowed one downwards. */
function peakEndingHere(listing: Listing, from: number, last: number, allUs: number, allBytes: number): number {
  const enoughUs = listing.rendition.targetDuration * 500_000
  let [peak, first, lastedUs, bytes] = [0, from, allUs, allBytes]
  while (first <= last && lastedUs >= enoughUs) {
    peak = Math.max(peak, bitRate(bytes, lastedUs))
    lastedUs -= listing.durationsUs[first] ?? 0
    bytes -= listing.sizesBytes[first] ?? 0
    first += 1
  }
  return peak
}

function bitRate(bytes: number, lastedUs: number): number {
  return lastedUs === 0 ? 0 : Math.ceil((bytes * 8 * 1_000_000) / lastedUs)
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, value) => sum + value, 0)
}

/** What a strict reader makes of a master playlist. */
export interface ParsedMaster {
  readonly variantUris: readonly string[]
  readonly audioUris: readonly string[]
}

/** What a strict reader makes of a media playlist. */
export interface ParsedMedia {
  readonly uris: readonly string[]
  readonly durationsUs: readonly number[]
  readonly final: boolean
}

/** Reads a master playlist with every check that the parser knows; throws when one fails. */
export async function parseMaster(text: string): Promise<ParsedMaster> {
  const playlist = await parse(text)
  if (!playlist.isMasterPlaylist || !('variants' in playlist)) throw new Error('not a master playlist')
  const audio = playlist.variants.flatMap((variant) => variant.audio.map((rendition) => rendition.uri ?? ''))
  return { variantUris: playlist.variants.map((variant) => variant.uri), audioUris: [...new Set(audio)] }
}

/** Reads a media playlist with every check that the parser knows; throws when one fails. */
export async function parseMedia(text: string): Promise<ParsedMedia> {
  const playlist = await parse(text)
  if (playlist.isMasterPlaylist || !('segments' in playlist)) throw new Error('not a media playlist')
  return {
    uris: playlist.segments.map((segment) => segment.uri),
    durationsUs: playlist.segments.map((segment) => Math.round(segment.duration * 1_000_000)),
    final: playlist.endlist,
  }
}

/** The parser is loaded on first use: those who only write playlists do not pay for it. */
async function parse(text: string) {
  const { default: hls } = await import('hls-parser')
  hls.setOptions({ strictMode: true })
  return hls.parse(text)
}
