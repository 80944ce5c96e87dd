import type { Plan } from '../../shared/plan.ts'
import { TaskFailure } from '../../shared/video-errors.ts'
import { EPOCH_US, packetNear } from './segment-grid.ts'
import { type ScannedStream, scanSegment } from './ts.ts'

/** Rounding may move a time by a tick on the way in and on the way out. */
const TOLERANCE_TICKS = 2

/** Refuses a finished segment that is not what the plan says: where it begins, and how many frames it holds. */
export function verifySegment(bytes: Uint8Array, plan: Plan, rendition: string, index: number): void {
  const fault = faultOf(bytes, plan, rendition, index)
  if (fault) throw new TaskFailure('output_mismatch', `Segment ${index} of ${rendition} ${fault}.`)
}

function faultOf(bytes: Uint8Array, plan: Plan, rendition: string, index: number): string | undefined {
  const scanned = scanSegment(bytes)
  if (!scanned.startsWithTables) return 'does not begin with its program tables'
  const kind = plan.renditions.find((one) => one.name === rendition)?.kind ?? 'video'
  const found: ScannedStream | undefined = scanned[kind]
  if (!found) return `holds no ${kind}`
  if (kind === 'video' && !scanned.video?.startsClean) return 'does not begin with a picture that stands alone'
  const wanted = kind === 'video' ? plannedVideo(plan, index) : plannedAudio(plan, index)
  if (found.units !== wanted.units) return `holds ${found.units} frames instead of ${wanted.units}`
  const ticks = Math.round(((wanted.startUs + EPOCH_US) * 90_000) / 1e6)
  const near = Math.abs(found.firstPts - ticks) <= TOLERANCE_TICKS
  return near ? undefined : `begins at ${found.firstPts} instead of ${ticks}`
}

function plannedVideo(plan: Plan, index: number): { startUs: number; units: number } {
  return { startUs: plan.video.boundariesUs[index] ?? Number.NaN, units: plan.video.frames[index] ?? Number.NaN }
}

function plannedAudio(plan: Plan, index: number): { startUs: number; units: number } {
  const startUs = plan.audio?.boundariesUs[index] ?? Number.NaN
  return { startUs, units: packetNear(plan.audio?.boundariesUs[index + 1] ?? Number.NaN) - packetNear(startUs) }
}
