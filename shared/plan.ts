/**
 * What a source is and what is to be made of it. The plan is written once, as one value, before anything is served:
 * every task, rendition and segment row is a pure function of it. Times are whole microseconds; on the output
 * timeline 0 is the first frame that is shown (the plan's origin).
 */

/** Facts about the picture of a source, as it is stored and as it is shown. */
export interface VideoInfo {
  readonly codec: string
  readonly profile: string
  readonly level: number
  readonly pixelFormat: string
  readonly bitDepth: number
  /** Stored size in pixels. */
  readonly codedWidth: number
  readonly codedHeight: number
  /** Size as it is shown: after rotation and with square pixels. */
  readonly width: number
  readonly height: number
  /** Clockwise turn in degrees that a player applies: 0, 90, 180 or 270. */
  readonly rotation: number
  readonly squarePixels: boolean
  readonly progressive: boolean
  readonly hdr: boolean
  /** Average frames per second. */
  readonly frameRate: number
  readonly frames: number
  readonly bitRate: number
}

/** Facts about the sound of a source. */
export interface AudioInfo {
  readonly codec: string
  readonly profile: string
  readonly channels: number
  readonly sampleRate: number
  readonly bitRate: number
}

/** What probing found; stored with the plan and shown to the owner. */
export interface MediaInfo {
  readonly container: string
  readonly durationMs: number
  readonly video: VideoInfo
  readonly audio: AudioInfo | null
}

export type EngineName = 'copy' | 'ffmpeg'

/** Explicit encoder settings; part of the plan's identity, since even the thread count changes x264's pictures. */
export interface VideoEncoder {
  readonly codec: 'h264'
  readonly preset: string
  readonly crf: number
  readonly maxrateKbps: number
  readonly bufsizeKbps: number
  readonly profile: 'high' | 'main'
  /** H.264 level times ten: 31 is level 3.1. */
  readonly level: number
  readonly threads: number
  /** Set where B-frames cannot be had; the encoder's own choice otherwise. */
  readonly bFrames?: 0
}

/** One rendition of the master playlist. The sound is a rendition of its own, named `audio`. */
export interface PlannedRendition {
  readonly name: string
  readonly kind: 'video' | 'audio'
  /** Pixels; 0 for audio. */
  readonly width: number
  readonly height: number
  readonly frameRate: number
  /** RFC 6381 codec of this rendition alone, for the CODECS attribute. */
  readonly codecs: string
  /** Highest bits per second this rendition may reach inside its container; BANDWIDTH until it has been measured. */
  readonly maxBandwidth: number
  /** `null` means that the source's packets are copied. */
  readonly encoder: VideoEncoder | { readonly codec: 'aac'; readonly bitrateKbps: number } | null
  /** Length of every segment, in order, in microseconds. */
  readonly durationsUs: readonly number[]
}

export type TaskKind = 'probe' | 'copy' | 'video' | 'audio' | 'check'

/** A piece of work: some renditions, a run of whole segments. */
export interface PlannedTask {
  /** `[a-z0-9-]`, unique in the plan: `copy`, `v0`, `audio`. */
  readonly taskId: string
  readonly kind: TaskKind
  readonly renditions: readonly string[]
  readonly firstSegment: number
  readonly segmentCount: number
}

export interface Plan {
  readonly planId: string
  readonly engine: EngineName
  /** Why this engine, as a sentence for the owner of the video. */
  readonly reason: string
  readonly container: 'ts'
  /** Presentation time, in the source, of the first frame that is shown. */
  readonly originUs: number
  /** EXT-X-TARGETDURATION of every playlist, in whole seconds. */
  readonly targetDuration: number
  /** The video grid, shared by all video renditions. */
  readonly video: {
    /** Start of every segment relative to the origin, plus the end of the last frame: one more entry than segments. */
    readonly boundariesUs: readonly number[]
    /** Number of frames in every segment. */
    readonly frames: readonly number[]
    /** For every inner boundary, the middle between the frames around it, relative to the origin. */
    readonly cutsUs: readonly number[]
  }
  /** The audio grid; `null` for a silent source. */
  readonly audio: {
    readonly boundariesUs: readonly number[]
    /** Where the encoded or copied sound ends, relative to the origin. */
    readonly endUs: number
  } | null
  /** Video from the tallest to the smallest, then audio. */
  readonly renditions: readonly PlannedRendition[]
  /** Audio first: it is cheap, and nothing is playable without it. */
  readonly tasks: readonly PlannedTask[]
}

/** Where one segment is stored in the output bucket. */
export function segmentKey(mediaId: string, planId: string, rendition: string, index: number): string {
  return `${planPrefix(mediaId, planId)}${rendition}/${index}.ts`
}

/** The prefix that holds everything one plan produces. */
export function planPrefix(mediaId: string, planId: string): string {
  return `m/${mediaId}/${planId}/`
}

/** How a task is named to a worker; references only, since an asynchronous payload may hold 128 KB. */
export interface TaskMessage {
  readonly mediaId: string
  /** Empty for the probe, which comes before there is a plan. */
  readonly planId: string
  readonly taskId: string
  readonly kind: TaskKind
  readonly attempt: number
}

/**
 * The asynchronous invocation id of one attempt; Function Compute answers 409 to a repeat, for ever. It must start with a
 * letter or underscore and hold at most 128 of `[A-Za-z0-9_-]`.
 */
export function invocationId(task: TaskMessage): string {
  return `t-${task.mediaId}-${task.planId || 'none'}-${task.taskId}-${task.attempt}`
}
