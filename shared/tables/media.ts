import type { MediaInfo, Plan } from '../plan.ts'
import { type VideoError, type VideoErrorCode, videoError } from '../video-errors.ts'
import { type Row, type TableClient, winWrite } from './client.ts'

/** `condemned`: no video shows it, as far as was seen; `purging`: it is being removed, and nothing brings it back. */
export type MediaState = 'live' | 'condemned' | 'purging'

/** One processed source: what tasks, segments and stored objects belong to. */
export interface Media {
  readonly mediaId: string
  readonly state: MediaState
  readonly sourceKey: string
  /** Every later read of the source is bound to this. */
  readonly sourceEtag: string
  readonly sizeBytes: number
  readonly crc64: string
  /** A fact about the source that ends the video, whatever the tasks say. */
  readonly fault: VideoError | undefined
  readonly planId: string
  readonly plan: Plan | undefined
  readonly info: MediaInfo | undefined
  /** When everything that had been stored for it was first removed; 0 before. */
  readonly emptiedAt: number
}

export type NewMedia = Pick<Media, 'mediaId' | 'sourceKey' | 'sourceEtag' | 'sizeBytes' | 'crc64'>

export interface MediaTable {
  create(media: NewMedia): Promise<boolean>
  find(mediaId: string): Promise<Media | undefined>
  /** Plan, its id and what probing found in one write; false when there was a plan already. */
  savePlan(mediaId: string, plan: Plan, info: MediaInfo): Promise<boolean>
  /** Records that the source is not what was accepted; false when a fault was recorded before. */
  saveFault(mediaId: string, code: VideoErrorCode): Promise<boolean>
  /** Says that a video shows this media; repeatable. False when it is being removed: the video then needs another. */
  link(mediaId: string, videoId: string): Promise<boolean>
  /** Takes that back; repeatable. */
  unlink(mediaId: string, videoId: string): Promise<void>
  /** The videos that show this media. */
  videoIds(mediaId: string): Promise<string[]>
  /** Moves from one state to another; false when it was no longer in `from`. */
  move(mediaId: string, from: MediaState, to: MediaState): Promise<boolean>
  /** Notes when its objects were removed, the first time. */
  markEmptied(mediaId: string, at: number): Promise<boolean>
  /** Some of all media, in the order of their ids. */
  page(from: string, limit: number): Promise<{ media: Media[]; next: string | undefined }>
  /** Forgets it; everything that belongs to it must be gone before. Repeatable. */
  remove(mediaId: string): Promise<void>
}

export function mediaTable(client: TableClient): MediaTable {
  const keyOf = (mediaId: string) => [['media_id', mediaId]] as const
  const move = (mediaId: string, from: MediaState, to: MediaState) =>
    winWrite(client, {
      table: 'media',
      key: keyOf(mediaId),
      expect: [{ column: 'state', op: '=', value: from }],
      update: { state: to },
    })
  return {
    create: (media) =>
      winWrite(client, { table: 'media', key: keyOf(media.mediaId), expect: 'absent', put: toColumns(media) }),
    async find(mediaId) {
      const row = await client.get('media', keyOf(mediaId))
      return row && fromRow(row)
    },
    savePlan: (mediaId, plan, info) =>
      winWrite(client, {
        table: 'media',
        key: keyOf(mediaId),
        expect: [{ column: 'plan_id', op: '=', value: '' }],
        update: { plan_id: plan.planId, plan: JSON.stringify(plan), info: JSON.stringify(info) },
      }),
    saveFault: (mediaId, code) =>
      winWrite(client, {
        table: 'media',
        key: keyOf(mediaId),
        expect: [{ column: 'fault', op: '=', value: '' }],
        update: { fault: code },
      }),
    async link(mediaId, videoId) {
      await client.write({ table: 'media_refs', key: refOf(mediaId, videoId), expect: 'any', put: { linked: true } })
      // The reference first: whoever condemns the media looks for references once more afterwards.
      return move(mediaId, 'live', 'live')
    },
    async unlink(mediaId, videoId) {
      await client.write({ table: 'media_refs', key: refOf(mediaId, videoId), expect: 'any', delete: true })
    },
    async videoIds(mediaId) {
      const keyColumns = ['media_id', 'video_id']
      const { rows } = await client.range({ table: 'media_refs', prefix: keyOf(mediaId), keyColumns })
      return rows.map((row) => String(row.video_id))
    },
    move,
    markEmptied: (mediaId, at) =>
      winWrite(client, {
        table: 'media',
        key: keyOf(mediaId),
        expect: [{ column: 'emptied_at', op: '=', value: 0 }],
        update: { emptied_at: at },
      }),
    async page(from, limit) {
      const request = { table: 'media', prefix: [], keyColumns: ['media_id'], limit }
      const { rows, next } = await client.range({ ...request, ...(from === '' ? {} : { from: keyOf(from) }) })
      return { media: rows.map(fromRow), next: next && String(next[0]?.[1]) }
    },
    async remove(mediaId) {
      await client.write({ table: 'media', key: keyOf(mediaId), expect: 'any', delete: true })
    },
  }
}

function refOf(mediaId: string, videoId: string) {
  return [
    ['media_id', mediaId],
    ['video_id', videoId],
  ] as const
}

function toColumns(media: NewMedia) {
  return {
    state: 'live' satisfies MediaState,
    source_key: media.sourceKey,
    source_etag: media.sourceEtag,
    size_bytes: media.sizeBytes,
    crc64: media.crc64,
    fault: '',
    plan_id: '',
    plan: '',
    info: '',
    emptied_at: 0,
  }
}

function fromRow(row: Row): Media {
  const planText = String(row.plan ?? '')
  const infoText = String(row.info ?? '')
  const fault = String(row.fault ?? '')
  return {
    mediaId: String(row.media_id),
    state: String(row.state) as MediaState,
    sourceKey: String(row.source_key),
    sourceEtag: String(row.source_etag),
    sizeBytes: Number(row.size_bytes),
    crc64: String(row.crc64),
    fault: fault === '' ? undefined : videoError(fault as VideoErrorCode),
    planId: String(row.plan_id ?? ''),
    plan: planText === '' ? undefined : (JSON.parse(planText) as Plan),
    info: infoText === '' ? undefined : (JSON.parse(infoText) as MediaInfo),
    emptiedAt: Number(row.emptied_at ?? 0),
  }
}
