import { type Row, type TableClient, winWrite } from './client.ts'

/** A public name of a video; several may exist, and each can be revoked on its own. */
export interface Playback {
  readonly playbackId: string
  readonly videoId: string
  readonly mediaId: string
  readonly policy: 'public'
  readonly revoked: boolean
}

export interface PlaybacksTable {
  create(playback: Playback): Promise<boolean>
  find(playbackId: string): Promise<Playback | undefined>
  /** Stops it because its video is deleted; repeatable. */
  revoke(playbackId: string): Promise<void>
  /** Takes that back, and only that; repeatable. */
  restore(playbackId: string): Promise<void>
  /** Forgets it; repeatable. */
  remove(playbackId: string): Promise<void>
}

export function playbacksTable(client: TableClient): PlaybacksTable {
  const keyOf = (playbackId: string) => [['playback_id', playbackId]] as const
  return {
    create: (playback) =>
      winWrite(client, {
        table: 'playbacks',
        key: keyOf(playback.playbackId),
        expect: 'absent',
        put: {
          video_id: playback.videoId,
          media_id: playback.mediaId,
          policy: playback.policy,
          revoked: playback.revoked,
        },
      }),
    async find(playbackId) {
      const row = await client.get('playbacks', keyOf(playbackId))
      return row && fromRow(row)
    },
    async revoke(playbackId) {
      const expect = [{ column: 'revoked', op: '=', value: false }] as const
      const update = { revoked: true, revoked_with_video: true }
      await client.write({ table: 'playbacks', key: keyOf(playbackId), expect, update })
    },
    async restore(playbackId) {
      const expect = [{ column: 'revoked_with_video', op: '=', value: true }] as const
      const update = { revoked: false, revoked_with_video: false }
      await client.write({ table: 'playbacks', key: keyOf(playbackId), expect, update })
    },
    async remove(playbackId) {
      await client.write({ table: 'playbacks', key: keyOf(playbackId), expect: 'any', delete: true })
    },
  }
}

function fromRow(row: Row): Playback {
  return {
    playbackId: String(row.playback_id),
    videoId: String(row.video_id),
    mediaId: String(row.media_id),
    policy: 'public',
    revoked: row.revoked === true,
  }
}
