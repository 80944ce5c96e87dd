/**
 * Bodies of the HTTP API, for both sides; types only. Times are RFC 3339, durations end in `Ms`, sizes in `Bytes`. What
 * belongs to features that do not exist yet is `null` where a client already looks for it, and missing otherwise.
 */

/** Every successful answer with a body. */
export interface Answer<Data> {
  readonly data: Data
  readonly requestId: string
}

/** One page of a list; a page may be short, or even empty, and still have a cursor. */
export interface Page<Item> extends Answer<readonly Item[]> {
  readonly nextCursor: string | null
}

/** RFC 9457, with the stable code of the catalogue. */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: string
  readonly requestId: string
}

/** `POST /v1/accounts` and `POST /v1/sessions`. */
export interface Credentials {
  readonly username: string
  readonly password: string
}

export interface AccountCreated {
  readonly accountId: string
  readonly username: string
}

export interface SessionCreated {
  readonly token: string
  readonly expiresAt: string
}

/** `POST /v1/uploads`. */
export interface UploadRequest {
  readonly fileName: string
  readonly sizeBytes: number
  readonly contentType: string
  readonly title?: string
  readonly sha256?: string
  readonly classId?: string
  readonly sourceContext?: string
  readonly method?: 'sts'
}

export type UploadState = 'waiting' | 'uploading' | 'verifying' | 'done' | 'errored' | 'cancelled' | 'expired'

/** Where the bytes go, and the rights to put them there. */
export interface UploadTarget {
  readonly bucket: string
  /** Always without the `oss-` that some clients want in front. */
  readonly region: string
  readonly endpoint: string
  readonly addressing: 'path' | 'virtual'
  readonly key: string
  readonly credentials: {
    readonly accessKeyId: string
    readonly accessKeySecret: string
    readonly securityToken: string
    readonly expiration: string
  }
}

/** Answer to `POST /v1/uploads/{id}/credentials`: the same key, fresh rights. */
export interface UploadCredentials extends UploadTarget {
  readonly uploadId: string
  readonly videoId: string
  readonly playbackId: string
  readonly state: UploadState
  readonly expiresAt: string
}

/** Answer to `POST /v1/uploads`. */
export interface UploadCreated extends UploadCredentials {
  /** Opens `/v1/uploads/{id}/…` of this upload only: `Authorization: Upload {uploadToken}`. */
  readonly uploadToken: string
}

/** `GET /v1/uploads/{id}`. */
export interface UploadStatus {
  readonly uploadId: string
  readonly videoId: string
  readonly playbackId: string
  readonly state: UploadState
  readonly fileName: string
  readonly title: string
  /** As it was declared; the video has the real one. */
  readonly sizeBytes: number
  readonly contentType: string
  readonly key: string
  readonly error: { readonly code: 'source_not_accepted'; readonly message: string } | null
  readonly createdAt: string
  readonly expiresAt: string
}

export type VideoStatus = 'processing' | 'ready' | 'errored'

/** Answer to `POST /v1/uploads/{id}/complete`, the same for everybody who asks. */
export interface UploadCompleted {
  readonly uploadId: string
  readonly videoId: string
  readonly playbackId: string
  readonly status: VideoStatus
  readonly playable: boolean
  readonly playUrl: string
  readonly coverUrl: null
}

/** One entry of `GET /v1/videos`, and `GET /v1/videos/{id}`. */
export interface VideoView {
  readonly videoId: string
  readonly title: string
  readonly status: VideoStatus
  readonly playable: boolean
  /** Whole per cent. */
  readonly progress: number
  readonly durationMs: number
  readonly width: number
  readonly height: number
  readonly engine: { readonly name: string; readonly reason: string } | null
  readonly renditions: readonly RenditionView[]
  readonly playbacks: readonly { readonly playbackId: string; readonly policy: 'public' }[]
  readonly coverUrl: null
  /** How many sessions have watched at least 10 s, or half of a shorter video. */
  readonly views: number
  readonly source: { readonly sizeBytes: number; readonly key: string }
  readonly sourceContext: string
  readonly classId: string
  readonly error: { readonly code: string; readonly message: string; readonly retryable: boolean } | null
  readonly createdAt: string
}

/** `waiting`: nothing is stored yet. `ready`: every segment is. */
export interface RenditionView {
  readonly name: string
  readonly width: number
  readonly height: number
  readonly bandwidth: number
  readonly codecs: string
  readonly state: 'waiting' | 'processing' | 'ready'
}

/** `PATCH /v1/videos/{id}`; the answer is the video. */
export interface VideoPatch {
  readonly title: string
}

/** `GET /play/{playbackId}`: what a player needs to start. */
export interface PlayInfo {
  readonly title: string
  readonly durationMs: number
  readonly status: VideoStatus
  readonly playable: boolean
  /** Whole per cent. */
  readonly progress: number
  readonly hlsUrl: string
  readonly posterUrl: null
  readonly storyboardUrl: null
  /** Where this viewer left off; 0 for a new one, or one who has seen the end. Asked with Bearer or `?viewerId=`. */
  readonly resumeMs: number
  /** The `sessionId` of the beats of this viewing; new in every answer. */
  readonly session: string
  readonly locked: false
}

export type BeatEvent = 'play' | 'pause' | 'timeupdate' | 'seeked' | 'waiting' | 'ended'

/**
 * `POST /v1/heartbeats`, as `application/json` or (from `sendBeacon`) `text/plain`. The numbers on quality are of the whole
 * session so far, so that a lost beat loses none of them.
 */
export interface Beat {
  readonly playbackId: string
  /** `session` of the play info. Any other text keeps the position as well, but is never a view. */
  readonly sessionId: string
  /** 16 to 64 visible ASCII characters, kept by the client; used only without Bearer, and then required. */
  readonly viewerId?: string
  /** 1, 2, 3 … within the session. A beat that is sent again keeps its number. */
  readonly seq: number
  readonly positionMs: number
  /** How long ago this was so: 0 if it is sent at once, more out of a queue. */
  readonly ageMs?: number
  readonly event: BeatEvent
  readonly playing: boolean
  /** From the wish to play to the first picture. */
  readonly startupMs?: number
  readonly stalls?: number
  readonly stallMs?: number
  readonly droppedFrames?: number
  /** Of the rendition that is playing. */
  readonly bitsPerSecond?: number
}

export interface BeatAnswer {
  /** When to send the next beat, if nothing happens before. */
  readonly nextBeatMs: number
}

/** `GET /v1/progress?playbackId=&viewerId=`; of a viewer who never watched it, 0 and `null`. */
export interface ProgressView {
  readonly positionMs: number
  readonly updatedAt: string | null
}
