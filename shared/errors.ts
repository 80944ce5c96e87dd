/**
 * Every error a client can see, in one place. A code is part of the API: it is added, never renamed.
 * The status is fixed here; the sentence is given where the rule is known.
 */
const CATALOGUE = {
  invalid_request: { status: 400, title: 'The request is not valid' },
  invalid_json: { status: 400, title: 'The body is not valid JSON' },
  invalid_signature: { status: 400, title: 'The signed request is malformed' },
  unauthenticated: { status: 401, title: 'Sign in first' },
  wrong_credentials: { status: 401, title: 'User name or password is wrong' },
  token_expired: { status: 401, title: 'The token has expired' },
  signature_mismatch: { status: 403, title: 'The signature does not match' },
  forbidden: { status: 403, title: 'Not allowed' },
  signup_closed: { status: 403, title: 'Sign-up is switched off' },
  not_found: { status: 404, title: 'There is nothing here' },
  upload_not_found: { status: 404, title: 'There is no such upload' },
  video_not_found: { status: 404, title: 'There is no such video' },
  playback_not_found: { status: 404, title: 'There is no such playback' },
  segment_not_found: { status: 404, title: 'There is no such segment' },
  method_not_allowed: { status: 405, title: 'Method not allowed' },
  username_taken: { status: 409, title: 'The user name is taken' },
  idempotency_conflict: { status: 409, title: 'The idempotency key was used for another request' },
  idempotency_in_progress: { status: 409, title: 'The first request with this idempotency key is still running' },
  upload_incomplete: { status: 409, title: 'The bytes are not there yet' },
  upload_closed: { status: 409, title: 'The upload is over' },
  not_playable: { status: 409, title: 'The video cannot be played yet' },
  not_restorable: { status: 409, title: 'The video can no longer be restored' },
  conflict: { status: 409, title: 'The state has changed meanwhile' },
  too_large: { status: 413, title: 'Too large' },
  source_not_accepted: { status: 422, title: 'The uploaded object cannot be used as a source' },
  rate_limited: { status: 429, title: 'Too many requests' },
  internal: { status: 500, title: 'Something went wrong on our side' },
  upstream_failed: { status: 502, title: 'A service we depend on failed' },
  upstream_busy: { status: 503, title: 'A service we depend on is busy' },
} as const

/** A stable code from the catalogue. */
export type ErrorCode = keyof typeof CATALOGUE

/** All of them, for who describes the API. */
export const ERROR_CODES = Object.keys(CATALOGUE) as readonly ErrorCode[]

/** An expected failure: its code fixes the HTTP status, its message says what was expected. */
export class AppError extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(message, options)
    this.name = 'AppError'
    this.code = code
  }

  /** HTTP status of the code. */
  get status(): number {
    return CATALOGUE[this.code].status
  }

  /** Short human title of the code, the same for every occurrence. */
  get title(): string {
    return CATALOGUE[this.code].title
  }
}
