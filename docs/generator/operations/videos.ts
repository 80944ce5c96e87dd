import { NewAccount, SignIn } from '../../../functions/videos/accounts.ts'
import { Patch } from '../../../functions/videos/change.ts'
import type { Operations } from '../operation.ts'

/** Accounts, sessions, and the videos of whoever is signed in. */
export const videos: Operations = {
  'POST /v1/accounts': {
    id: 'createAccount',
    summary: 'Sign up',
    description: 'Where the setting `SIGNUP` is `open`. With an `Idempotency-Key`, a repeat finds the same account.',
    idempotent: true,
    body: NewAccount,
    success: [{ status: 201, data: 'AccountCreated', description: 'The account' }],
    errors: ['invalid_request', 'invalid_json', 'signup_closed', 'username_taken', 'idempotency_conflict'],
  },
  'POST /v1/sessions': {
    id: 'createSession',
    summary: 'Sign in',
    body: SignIn,
    success: [{ status: 201, data: 'SessionCreated', description: 'A token for `Authorization: Bearer`' }],
    errors: ['invalid_request', 'invalid_json', 'wrong_credentials'],
  },
  'GET /v1/videos': {
    id: 'listVideos',
    summary: "One's videos, newest first",
    description: 'A page may be short, or even empty, and still have a cursor.',
    auth: ['session'],
    query: {
      limit: {
        description: 'How many at most.',
        schema: { type: 'integer', minimum: 1, maximum: 100, default: 20 },
      },
      cursor: { description: 'The `nextCursor` of an earlier page.', schema: { type: 'string' } },
    },
    success: [{ status: 200, data: 'VideoView', list: true, description: 'One page' }],
    errors: ['invalid_request'],
  },
  'GET /v1/videos/:id': {
    id: 'getVideo',
    summary: 'One video',
    auth: ['session'],
    success: [{ status: 200, data: 'VideoView', description: 'The video as it is now' }],
    errors: ['video_not_found'],
  },
  'PATCH /v1/videos/:id': {
    id: 'renameVideo',
    summary: 'Give a video another title',
    auth: ['session'],
    body: Patch,
    success: [{ status: 200, data: 'VideoView', description: 'The video as it is now' }],
    errors: ['invalid_request', 'invalid_json', 'video_not_found', 'conflict'],
  },
  'DELETE /v1/videos/:id': {
    id: 'deleteVideo',
    summary: 'Delete a video',
    description:
      'Its playbacks stop within half a minute, and unfinished work on it ends. It can be restored until it is removed for good, seven days later unless the installation says otherwise.',
    auth: ['session'],
    success: [{ status: 204, description: 'It is deleted' }],
    errors: ['video_not_found', 'conflict'],
  },
  'POST /v1/videos/:id/restore': {
    id: 'restoreVideo',
    summary: 'Take a deletion back',
    description:
      'It is listed again, its playbacks work, and what was cancelled goes on. Does no harm to a video that is not deleted.',
    auth: ['session'],
    idempotent: true,
    success: [{ status: 200, data: 'VideoView', description: 'The video as it is now' }],
    errors: ['invalid_request', 'video_not_found', 'idempotency_conflict', 'not_restorable', 'conflict'],
  },
}
