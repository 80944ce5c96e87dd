import type { Operations } from '../operation.ts'
import { VIEWER_ID } from './heartbeat.ts'

const PLAYLIST = 'application/vnd.apple.mpegurl'
const unchanged = { status: 304, description: 'It is still the one that `If-None-Match` names' } as const

/** What a viewer fetches. Each of them answers HEAD too. */
export const playRedirect: Operations = {
  'GET /play/:playbackId': {
    id: 'getPlayInfo',
    summary: 'What a player needs to start',
    description:
      'Each answer opens a viewing: send its `session` with the beats. A session that is over makes a viewer a stranger here, and no error.',
    auth: ['session', 'viewer'],
    query: {
      viewerId: {
        ...VIEWER_ID,
        description: 'Made up and kept by the client; used only without a session, to know where it left off.',
      },
    },
    success: [{ status: 200, data: 'PlayInfo', description: 'Title, length, state, and the address of the playlist' }],
    errors: ['invalid_request', 'playback_not_found'],
  },
  'GET /play/:playbackId/master.m3u8': {
    id: 'getMasterPlaylist',
    summary: 'The master playlist',
    description: 'Lists every rendition, and never changes once it was served.',
    success: [{ status: 200, mediaType: PLAYLIST, description: 'HLS, addresses relative to its own' }, unchanged],
    errors: ['playback_not_found', 'not_found', 'not_playable'],
  },
  'GET /play/:playbackId/:rendition/index.m3u8': {
    id: 'getMediaPlaylist',
    summary: 'The playlist of one rendition',
    description:
      'The sound is the rendition `audio`. Grows while the video is being made, and ends with `#EXT-X-ENDLIST` when every segment is listed.',
    success: [{ status: 200, mediaType: PLAYLIST, description: 'HLS, addresses relative to its own' }, unchanged],
    errors: ['playback_not_found', 'not_found', 'not_playable'],
  },
  'GET /play/:playbackId/:rendition/:file{(?:0|[1-9][0-9]{0,8})\\.ts}': {
    id: 'getSegment',
    summary: 'One segment',
    success: [{ status: 302, description: '`Location` is a presigned URL of OSS, good for an hour' }],
    errors: ['playback_not_found', 'segment_not_found'],
  },
}
