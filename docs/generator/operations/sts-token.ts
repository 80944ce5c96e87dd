import { Body } from '../../../functions/sts-token/request.ts'
import type { Operations } from '../operation.ts'

/** Who may upload what. */
export const stsToken: Operations = {
  'POST /v1/uploads': {
    id: 'createUpload',
    summary: 'Begin an upload',
    description:
      'Makes the ids of the upload, of its video and of its first playback, and answers with credentials of STS that can write one key of the bucket and nothing else. Send the bytes there, in parts or at once, and say so with `complete`. A repeat with the same `Idempotency-Key` and body finds the same upload and gets fresh credentials.',
    auth: ['session'],
    idempotent: true,
    body: Body,
    success: [{ status: 201, data: 'UploadCreated', description: 'The upload, and the rights to put its bytes' }],
    errors: ['invalid_request', 'invalid_json', 'idempotency_conflict', 'upload_closed', 'too_large'],
  },
}
