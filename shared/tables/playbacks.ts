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
  /** Stops it for good; repeatable. */
  revoke(playbackId: string): Promise<void>
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
      await client.write({ table: 'playbacks', key: keyOf(playbackId), expect: 'present', update: { revoked: true } })
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
