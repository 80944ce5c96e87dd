import { type Listing, listingsOf, masterPlaylist, mediaPlaylist, parseMaster, parseMedia } from '../../shared/hls.ts'
import { type Plan, segmentKey } from '../../shared/plan.ts'
import { plannedRenditions, type Rendition } from '../../shared/tables/renditions.ts'
import type { SegmentRun } from '../../shared/tables/segments.ts'

/** Everything that was made of one plan. */
export interface Output {
  readonly mediaId: string
  readonly plan: Plan
  readonly renditions: readonly Rendition[]
  readonly runs: readonly SegmentRun[]
  /** Size in bytes of every object under the plan's prefix. */
  readonly objects: ReadonlyMap<string, number>
}

/** What is wrong with an output, as a sentence; `undefined` when plan, rows, objects and playlists agree. */
export async function faultOf(output: Output): Promise<string | undefined> {
  return rowFault(output) ?? segmentFault(output) ?? (await playlistFault(output))
}

function rowFault({ mediaId, plan, renditions }: Output): string | undefined {
  for (const planned of plannedRenditions(mediaId, plan)) {
    const row = renditions.find((one) => one.name === planned.name)
    if (!row) return `The row of rendition ${planned.name} is missing.`
    const differs = Object.entries(planned).find(([name, value]) => row[name as keyof Rendition] !== value)
    if (differs) return `The row of rendition ${planned.name} has another ${differs[0]} than the plan.`
  }
  return undefined
}

function segmentFault(output: Output): string | undefined {
  for (const { name, durationsUs } of output.plan.renditions) {
    const listed = listedSegments(name, output.runs)
    if (listed.length > durationsUs.length) return `Rendition ${name} lists more segments than planned.`
    for (const [index, duration] of durationsUs.entries()) {
      const key = segmentKey(output.mediaId, output.plan.planId, name, index)
      const fault = differenceOf(listed[index], duration, output.objects.get(key))
      if (fault !== undefined) return `Segment ${index} of ${name} ${fault}.`
    }
  }
  return undefined
}

interface ListedSegment {
  readonly durationUs: number
  readonly sizeBytes: number
}

function differenceOf(listed: ListedSegment | undefined, planned: number, stored: number | undefined) {
  if (!listed) return 'is not listed'
  if (listed.durationUs !== planned) return 'is listed with another length than planned'
  if (stored === undefined) return 'is listed but not stored'
  return stored === listed.sizeBytes ? undefined : `has ${stored} bytes, but ${listed.sizeBytes} are listed`
}

/** By their number; a hole stays a hole. */
function listedSegments(rendition: string, runs: readonly SegmentRun[]) {
  const listed: (ListedSegment | undefined)[] = []
  for (const run of runs) {
    if (run.rendition !== rendition) continue
    for (let at = 0; at < run.count; at += 1) {
      const [durationUs, sizeBytes] = [run.durationsUs[at], run.sizesBytes[at]]
      if (durationUs !== undefined && sizeBytes !== undefined) listed[run.firstSegment + at] = { durationUs, sizeBytes }
    }
  }
  return listed
}

/** Every playlist is written as it will be served and read back by a strict parser. */
async function playlistFault({ renditions, runs }: Output): Promise<string | undefined> {
  const listings = listingsOf(renditions, runs)
  try {
    const master = await parseMaster(masterPlaylist(listings))
    const named = [...master.variantUris, ...master.audioUris].sort()
    const expected = renditions.map(({ name }) => `${name}/index.m3u8`).sort()
    if (named.join() !== expected.join()) return 'The master playlist does not name every rendition.'
    for (const listing of listings)
      if (!(await agrees(listing))) return `The playlist of ${nameOf(listing)} is not final.`
  } catch (error) {
    return `A playlist is not valid: ${error instanceof Error ? error.message : ''}`
  }
  return undefined
}

async function agrees(listing: Listing): Promise<boolean> {
  const parsed = await parseMedia(mediaPlaylist(listing))
  const { segmentCount } = listing.rendition
  const inOrder = parsed.uris.every((uri, index) => uri === `${index}.ts`)
  const lengths = parsed.durationsUs.every((duration, index) => duration === listing.durationsUs[index])
  return parsed.final && inOrder && lengths && parsed.uris.length === segmentCount
}

function nameOf(listing: Listing): string {
  return listing.rendition.name
}
