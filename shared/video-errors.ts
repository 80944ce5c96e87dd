/** Why a video could not be made; stored on the video and shown to its owner. Codes are added, never renamed. */
const VIDEO_ERRORS = {
  not_a_video: { retryable: false, message: 'The file is not a video that we can read.' },
  no_video_stream: { retryable: false, message: 'The file has sound but no picture.' },
  unsupported_source: { retryable: false, message: 'The file uses a format that we cannot decode.' },
  source_truncated: {
    retryable: false,
    message: 'The file ends before the video does; it was probably cut off while it was copied.',
  },
  source_damaged: { retryable: false, message: 'Parts of the file are damaged and cannot be decoded.' },
  source_changed: { retryable: false, message: 'The uploaded file was replaced after the upload was finished.' },
  source_missing: { retryable: false, message: 'The uploaded file is gone.' },
  source_too_large: { retryable: false, message: 'The video is larger than we accept.' },
  transcode_failed: { retryable: true, message: 'The video could not be transcoded.' },
  output_mismatch: { retryable: true, message: 'A transcoded segment did not match the plan.' },
  output_incomplete: { retryable: true, message: 'A transcoded segment is missing.' },
  worker_lost: { retryable: true, message: 'A worker stopped before its task was done.' },
  cancelled: { retryable: false, message: 'The video was deleted.' },
} as const

export type VideoErrorCode = keyof typeof VIDEO_ERRORS

/** A failed task or video, as it is stored. */
export interface VideoError {
  readonly code: VideoErrorCode
  readonly message: string
  readonly retryable: boolean
}

/** The stored form of a code, with its usual sentence or a more exact one. */
export function videoError(code: VideoErrorCode, message?: string): VideoError {
  const known = VIDEO_ERRORS[code]
  return { code, message: message ?? known.message, retryable: known.retryable }
}

/** Thrown by a worker: its attempt is over for this reason. A reason that is not retryable ends the task for good. */
export class TaskFailure extends Error {
  readonly failure: VideoError

  constructor(code: VideoErrorCode, message?: string, options: { cause?: unknown } = {}) {
    const failure = videoError(code, message)
    super(failure.message, options)
    this.name = 'TaskFailure'
    this.failure = failure
  }
}
