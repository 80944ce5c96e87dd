/** Every output begins at this time: B-frames make the first DTS earlier than the first picture, and TS has no negative times. */
export const EPOCH_US = 10_000_000
/** How much earlier decoding may begin than showing, with room to spare. */
export const MAX_LEAD_US = EPOCH_US / 2

/** Length that every segment aims at. */
export const SEGMENT_US = 4_000_000
/** A last piece shorter than this joins the one before it. */
const SHORTEST_US = 1_000_000

/** The sound is always made at 48 kHz: one AAC frame is 1024 samples, exactly 1920 ticks of 90 kHz. */
export const SAMPLE_RATE = 48_000
const AAC_SAMPLES = 1024

export interface VideoGrid {
  readonly boundariesUs: readonly number[]
  readonly frames: readonly number[]
  readonly cutsUs: readonly number[]
}

/**
 * Cuts a list of frames (sorted, relative to the origin) at the first candidate at or after every multiple of four
 * seconds. Candidates are where a cut is possible: every frame for an encoder.
 */
export function encodeGrid(framesUs: readonly number[], endUs: number): VideoGrid {
  const starts = [0]
  let goal = SEGMENT_US
  for (const frame of framesUs) {
    if (frame < goal) continue
    starts.push(frame)
    goal = (Math.floor(frame / SEGMENT_US) + 1) * SEGMENT_US
  }
  return grid(framesUs, starts, endUs)
}

/** The same at source key frames: for every multiple of four seconds the nearest one. */
export function copyGrid(framesUs: readonly number[], keysUs: readonly number[], endUs: number): VideoGrid {
  const starts = [0]
  let at = 0
  for (let goal = SEGMENT_US; goal < endUs; goal += SEGMENT_US) {
    while (distance(keysUs[at + 1], goal) < distance(keysUs[at], goal)) at += 1
    const key = keysUs[at] ?? 0
    if (key > (starts.at(-1) ?? 0)) starts.push(key)
  }
  return grid(framesUs, starts, endUs)
}

function distance(key: number | undefined, goal: number): number {
  return key === undefined ? Number.POSITIVE_INFINITY : Math.abs(key - goal)
}

function grid(framesUs: readonly number[], candidates: readonly number[], endUs: number): VideoGrid {
  const starts = joinShortEnd(candidates, endUs)
  const frames = starts.map(() => 0)
  const cutsUs: number[] = []
  let segment = 0
  for (const [index, frame] of framesUs.entries()) {
    if (frame === starts[segment + 1]) {
      segment += 1
      cutsUs.push(Math.round(((framesUs[index - 1] ?? 0) + frame) / 2))
    }
    frames[segment] = (frames[segment] ?? 0) + 1
  }
  return { boundariesUs: [...starts, endUs], frames, cutsUs }
}

function joinShortEnd(starts: readonly number[], endUs: number): number[] {
  const short = starts.length > 1 && endUs - (starts.at(-1) ?? 0) < SHORTEST_US
  return short ? starts.slice(0, -1) : [...starts]
}

export interface AudioGrid {
  readonly boundariesUs: readonly number[]
  readonly endUs: number
}

/**
 * The grid of the sound: whole AAC frames, cut nearest to where the picture is cut, and going on every four seconds if
 * the sound is longer. It is never shorter than the picture: what is missing becomes silence.
 */
export function audioGrid(videoBoundariesUs: readonly number[], soundEndUs: number): AudioGrid {
  const videoEnd = videoBoundariesUs.at(-1) ?? 0
  const end = Math.max(videoEnd, soundEndUs)
  const starts = videoBoundariesUs.slice(0, -1)
  for (let at = videoEnd; end - at >= SHORTEST_US; at += SEGMENT_US) starts.push(at)
  const packets = Math.max(1, Math.ceil((end * SAMPLE_RATE) / (AAC_SAMPLES * 1e6) - 1e-6))
  const cuts = joinShortEnd(starts, end).map(packetNear)
  const distinct = cuts.filter((cut, index) => index === 0 || (cut > (cuts[index - 1] ?? 0) && cut < packets))
  const boundariesUs = [...distinct, packets].map(packetStartUs)
  return { boundariesUs, endUs: packetStartUs(packets) }
}

/** Number of the AAC frame that begins nearest to this time. */
export function packetNear(us: number): number {
  return Math.round((us * SAMPLE_RATE) / (AAC_SAMPLES * 1e6))
}

function packetStartUs(packet: number): number {
  return Math.round((packet * AAC_SAMPLES * 1e6) / SAMPLE_RATE)
}

/** Lengths of the segments between boundaries. */
export function lengths(boundariesUs: readonly number[]): number[] {
  return boundariesUs.slice(1).map((end, index) => end - (boundariesUs[index] ?? 0))
}
