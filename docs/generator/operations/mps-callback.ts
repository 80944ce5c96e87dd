import { Body } from '../../../functions/mps-callback/route.ts'
import type { Operations } from '../operation.ts'
import { object } from '../schema.ts'

/** What our own functions tell each other. */
export const mpsCallback: Operations = {
  'POST /callbacks/transcode': {
    id: 'transcodeCallback',
    summary: 'Some engine says that a media has changed',
    description:
      'Internal. The query holds `timestamp` (seconds), `nonce` and `sign`; see "Who signs what" in docs/security.md. A repeat is answered alike and looks again.',
    auth: ['internal'],
    query: {
      timestamp: {
        description: 'Seconds since 1970, at most 300 away from now.',
        schema: { type: 'string', pattern: '^\\d{1,12}$' },
        required: true,
      },
      nonce: {
        description: 'Anything that was not used before.',
        schema: { type: 'string', pattern: '^[A-Za-z0-9._~:/-]+$' },
        required: true,
      },
    },
    body: Body,
    success: [
      {
        status: 200,
        inline: object({ repeated: { type: 'boolean', description: 'Whether the nonce was known.' } }),
        description: 'It was looked at',
      },
    ],
    errors: ['invalid_request', 'invalid_json', 'invalid_signature', 'signature_mismatch'],
  },
}
