import type { Plan, PlannedRendition } from '../plan.ts'
import { type Row, type TableClient, winWrite } from './client.ts'

/** What a master playlist says of one rendition. */
export interface Rendition {
  readonly mediaId: string
  readonly name: string
  readonly planId: string
  /** Place in the master playlist, 0 first. */
  readonly position: number
  readonly kind: 'video' | 'audio'
  readonly width: number
  readonly height: number
  /** Thousandths of a frame per second. */
  readonly frameRateMilli: number
  readonly codecs: string
  /** Highest bits per second, planned. */
  readonly maxBandwidth: number
  readonly segmentCount: number
  /** Whole seconds, the same for every rendition of a plan. */
  readonly targetDuration: number
}

/** The rows a plan needs, in the order of the master playlist. */
export function plannedRenditions(mediaId: string, plan: Plan): Rendition[] {
  return plan.renditions.map((planned, position) => fromPlan(mediaId, plan, planned, position))
}

export interface RenditionsTable {
  create(rendition: Rendition): Promise<boolean>
  /** In the order of the master playlist. */
  all(mediaId: string): Promise<Rendition[]>
}

export function renditionsTable(client: TableClient): RenditionsTable {
  return {
    create: (rendition) =>
      winWrite(client, {
        table: 'renditions',
        key: [
          ['media_id', rendition.mediaId],
          ['rendition', rendition.name],
        ],
        expect: 'absent',
        put: toColumns(rendition),
      }),
    async all(mediaId) {
      const { rows } = await client.range({
        table: 'renditions',
        prefix: [['media_id', mediaId]],
        keyColumns: ['media_id', 'rendition'],
      })
      return rows.map(fromRow).sort((a, b) => a.position - b.position)
    },
  }
}

function fromPlan(mediaId: string, plan: Plan, planned: PlannedRendition, position: number): Rendition {
  return {
    mediaId,
    name: planned.name,
    planId: plan.planId,
    position,
    kind: planned.kind,
    width: planned.width,
    height: planned.height,
    frameRateMilli: Math.round(planned.frameRate * 1000),
    codecs: planned.codecs,
    maxBandwidth: planned.maxBandwidth,
    segmentCount: planned.durationsUs.length,
    targetDuration: plan.targetDuration,
  }
}

function toColumns(rendition: Rendition) {
  return {
    plan_id: rendition.planId,
    position: rendition.position,
    kind: rendition.kind,
    width: rendition.width,
    height: rendition.height,
    frame_rate_milli: rendition.frameRateMilli,
    codecs: rendition.codecs,
    max_bandwidth: rendition.maxBandwidth,
    segment_count: rendition.segmentCount,
    target_duration: rendition.targetDuration,
  }
}

function fromRow(row: Row): Rendition {
  return {
    mediaId: String(row.media_id),
    name: String(row.rendition),
    planId: String(row.plan_id),
    position: Number(row.position),
    kind: row.kind === 'audio' ? 'audio' : 'video',
    width: Number(row.width),
    height: Number(row.height),
    frameRateMilli: Number(row.frame_rate_milli),
    codecs: String(row.codecs),
    maxBandwidth: Number(row.max_bandwidth),
    segmentCount: Number(row.segment_count),
    targetDuration: Number(row.target_duration),
  }
}
