import { BeatBody } from '../../../functions/heartbeat/input.ts'
import type { Operations, Parameter } from '../operation.ts'

/** Who is not signed in names the viewer by an id that the client made up. */
export const VIEWER_ID: Parameter = {
  description: 'Made up and kept by the client; used only without a session, and then required.',
  schema: { type: 'string', pattern: '^[\\x21-\\x7e]{16,64}$' },
}

/** Where viewers are, and what they have watched. */
export const heartbeat: Operations = {
  'POST /v1/heartbeats': {
    id: 'sendBeat',
    summary: 'Say where a viewer is',
    description:
      'Keeps the position, and counts a view once: a session that was handed out by play info and has watched 10 s, or half of a shorter video, on our clock. A beat that is sent again, or too late, changes nothing. The body may also come as `text/plain`, as `sendBeacon` sends it; fields that are not known are passed over.',
    auth: ['session', 'viewer'],
    body: BeatBody,
    success: [{ status: 200, data: 'BeatAnswer', description: 'It is kept' }],
    errors: ['invalid_request', 'invalid_json', 'playback_not_found'],
  },
  'GET /v1/progress': {
    id: 'getProgress',
    summary: 'Where a viewer left off',
    auth: ['session', 'viewer'],
    query: {
      playbackId: { description: 'Public id of a playback.', schema: { type: 'string' }, required: true },
      viewerId: VIEWER_ID,
    },
    success: [{ status: 200, data: 'ProgressView', description: 'The last position' }],
    errors: ['invalid_request', 'playback_not_found'],
  },
}
