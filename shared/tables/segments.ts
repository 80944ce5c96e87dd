import type { Plan } from '../plan.ts'
import { type Row, type TableClient, type Write, winWrite } from './client.ts'

/** A run of consecutive segments of one rendition: planned lengths of all of them, sizes of those that are stored. */
export interface SegmentRun {
  readonly mediaId: string
  readonly rendition: string
  readonly firstSegment: number
  readonly planId: string
  readonly durationsUs: readonly number[]
  /** How many, from the first one on, are stored and may be served. Only grows. */
  readonly count: number
  readonly sizesBytes: readonly number[]
}

/** One row holds at most this many segments. */
const RUN_LENGTH = 256

/** The rows a plan needs, with nothing stored yet: a pure function of the plan, so that repeating it changes nothing. */
export function plannedRuns(mediaId: string, plan: Plan): SegmentRun[] {
  const runs: SegmentRun[] = []
  for (const task of plan.tasks) {
    for (const rendition of task.renditions) {
      const durations = plan.renditions.find((planned) => planned.name === rendition)?.durationsUs ?? []
      const end = task.firstSegment + task.segmentCount
      for (let first = task.firstSegment; first < end; first += RUN_LENGTH) {
        const durationsUs = durations.slice(first, Math.min(first + RUN_LENGTH, end))
        runs.push({
          mediaId,
          rendition,
          firstSegment: first,
          planId: plan.planId,
          durationsUs,
          count: 0,
          sizesBytes: [],
        })
      }
    }
  }
  return runs
}

/** What a worker has stored of one rendition: sizes in bytes of a gapless run that begins where its task does. */
export interface StoredRun {
  readonly rendition: string
  readonly firstSegment: number
  readonly sizesBytes: readonly number[]
}

export interface SegmentsTable {
  create(run: SegmentRun): Promise<boolean>
  /** Every run of every rendition, in order. */
  all(mediaId: string): Promise<SegmentRun[]>
  /** Makes stored segments visible, all renditions in one request. A twin that is behind changes nothing. */
  publish(mediaId: string, planId: string, stored: readonly StoredRun[]): Promise<void>
}

export function segmentsTable(client: TableClient): SegmentsTable {
  return {
    create: (run) => winWrite(client, { table: 'segments', key: keyOf(run), expect: 'absent', put: toColumns(run) }),
    async all(mediaId) {
      const { rows } = await client.range({
        table: 'segments',
        prefix: [['media_id', mediaId]],
        keyColumns: ['media_id', 'rendition', 'first_segment'],
      })
      return rows.map(fromRow)
    },
    async publish(mediaId, planId, stored) {
      const writes = stored.flatMap((run) => rowUpdates(mediaId, planId, run))
      for (let at = 0; at < writes.length; at += 200) await client.writeBatch(writes.slice(at, at + 200))
    },
  }
}

function rowUpdates(mediaId: string, planId: string, stored: StoredRun): Write[] {
  const writes: Write[] = []
  for (let at = 0; at < stored.sizesBytes.length; at += RUN_LENGTH) {
    const sizes = stored.sizesBytes.slice(at, at + RUN_LENGTH)
    writes.push({
      table: 'segments',
      key: keyOf({ mediaId, rendition: stored.rendition, firstSegment: stored.firstSegment + at }),
      expect: [
        { column: 'plan_id', op: '=', value: planId },
        { column: 'count', op: '<', value: sizes.length },
      ],
      update: { count: sizes.length, sizes: JSON.stringify(sizes) },
    })
  }
  return writes
}

function keyOf(run: Pick<SegmentRun, 'mediaId' | 'rendition' | 'firstSegment'>) {
  return [
    ['media_id', run.mediaId],
    ['rendition', run.rendition],
    ['first_segment', run.firstSegment],
  ] as const
}

function toColumns(run: SegmentRun) {
  return {
    plan_id: run.planId,
    durations: JSON.stringify(run.durationsUs),
    count: run.count,
    sizes: JSON.stringify(run.sizesBytes),
  }
}

function fromRow(row: Row): SegmentRun {
  return {
    mediaId: String(row.media_id),
    rendition: String(row.rendition),
    firstSegment: Number(row.first_segment),
    planId: String(row.plan_id),
    durationsUs: JSON.parse(String(row.durations)) as number[],
    count: Number(row.count),
    sizesBytes: JSON.parse(String(row.sizes)) as number[],
  }
}
