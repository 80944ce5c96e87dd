import type { Operations } from '../operation.ts'

/** A running upload, for its owner or whoever holds its token. */
export const uploadNotify: Operations = {
  'GET /v1/uploads/:id': {
    id: 'getUpload',
    summary: 'How an upload stands',
    auth: ['session', 'upload'],
    success: [{ status: 200, data: 'UploadStatus', description: 'The upload as it was declared, and its state' }],
    errors: ['upload_not_found'],
  },
  'DELETE /v1/uploads/:id': {
    id: 'cancelUpload',
    summary: 'Give an upload up',
    description: 'Ends it, aborts its multipart uploads and removes what was stored. May be repeated.',
    auth: ['session', 'upload'],
    success: [{ status: 204, description: 'It is cancelled' }],
    errors: ['upload_not_found', 'upload_closed'],
  },
  'POST /v1/uploads/:id/credentials': {
    id: 'renewUploadCredentials',
    summary: 'Fresh credentials for the same key',
    description: 'To go on with an upload that takes longer than its credentials live.',
    auth: ['session', 'upload'],
    idempotent: true,
    success: [{ status: 200, data: 'UploadCredentials', description: 'Where the bytes go, and fresh rights' }],
    errors: ['invalid_request', 'upload_not_found', 'idempotency_conflict', 'upload_closed'],
  },
  'POST /v1/uploads/:id/complete': {
    id: 'completeUpload',
    summary: 'Say that the bytes are there',
    description:
      'Looks at the stored object, binds the video to its ETag and starts processing. The event of OSS does the same; whoever comes first, all callers get the same answer, however often they ask.',
    auth: ['session', 'upload'],
    idempotent: true,
    success: [{ status: 200, data: 'UploadCompleted', description: 'The video that was made of it' }],
    errors: [
      ...(['invalid_request', 'upload_not_found', 'video_not_found', 'idempotency_conflict'] as const),
      ...(['upload_incomplete', 'upload_closed', 'source_not_accepted'] as const),
    ],
  },
}
