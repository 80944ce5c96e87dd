/** What one elementary stream of a transport stream holds. */
export interface ScannedStream {
  /** Pictures or AAC frames. */
  readonly units: number
  /** Smallest presentation time, in ticks of 90 kHz. */
  readonly firstPts: number
  readonly lastPts: number
}

export interface ScannedVideo extends ScannedStream {
  /** The first picture is an IDR frame with its parameter sets before it. */
  readonly startsClean: boolean
}

export interface ScannedSegment {
  /** The first two packets are the program tables, so that the segment can be read on its own. */
  readonly startsWithTables: boolean
  readonly video: ScannedVideo | undefined
  readonly audio: ScannedStream | undefined
}

const PACKET = 188
const SYNC = 0x47
const H264 = 0x1b
const AAC = 0x0f

/** Reads a whole segment (ISO/IEC 13818-1): what it begins with, and how many units of picture and sound are in it. */
export function scanSegment(bytes: Uint8Array): ScannedSegment {
  const reader = makeReader()
  for (let at = 0; at + PACKET <= bytes.length; at += PACKET) {
    const packet = bytes.subarray(at, at + PACKET)
    if (packet[0] !== SYNC) return { startsWithTables: false, video: undefined, audio: undefined }
    reader.read(packet)
  }
  const { video, audio } = reader
  return {
    startsWithTables: tablesFirst(bytes, reader.mapPid()),
    video: video.units.length === 0 ? undefined : describeVideo(video.units),
    audio: audio.units.length === 0 ? undefined : describeAudio(audio.units),
  }
}

/** Follows the program tables and collects the packets of picture and sound. */
function makeReader() {
  const types = new Map<number, number>()
  const video = collector()
  const audio = collector()
  let mapPid = -1
  const readTables = (pid: number, payload: Uint8Array) => {
    if (pid === 0) mapPid = mapPidOf(payload)
    if (pid === mapPid) for (const [stream, type] of mapOf(payload)) types.set(stream, type)
  }
  const read = (packet: Uint8Array) => {
    const pid = pidOf(packet)
    const payload = payloadOf(packet)
    const starts = (byte(packet, 1) & 0x40) !== 0
    if (starts) readTables(pid, payload)
    if (types.get(pid) === H264) video.add(payload, starts)
    if (types.get(pid) === AAC) audio.add(payload, starts)
  }
  return { video, audio, read, mapPid: () => mapPid }
}

function pidOf(packet: Uint8Array): number {
  return (byte(packet, 1) & 0x1f) * 256 + byte(packet, 2)
}

interface Unit {
  readonly pts: number
  readonly parts: Uint8Array[]
}

function collector() {
  const units: Unit[] = []
  return {
    units,
    add(payload: Uint8Array, starts: boolean): void {
      if (starts) units.push({ pts: ptsOf(payload), parts: [payload.subarray(9 + byte(payload, 8))] })
      else units.at(-1)?.parts.push(payload)
    },
  }
}

/** mpegts writes service description, program association and program map, in an order that differs between builds. */
function tablesFirst(bytes: Uint8Array, mapPid: number): boolean {
  const pids = [0, 1, 2].map((at) => pidOf(bytes.subarray(at * PACKET)))
  return mapPid > 0 && pids.includes(0) && pids.includes(mapPid)
}

function payloadOf(packet: Uint8Array): Uint8Array {
  const control = byte(packet, 3) & 0x30
  if (control === 0x10) return packet.subarray(4)
  return control === 0x30 ? packet.subarray(5 + byte(packet, 4)) : packet.subarray(PACKET)
}

function mapPidOf(payload: Uint8Array): number {
  const section = payload.subarray(1 + byte(payload, 0))
  return (byte(section, 10) & 0x1f) * 256 + byte(section, 11)
}

function mapOf(payload: Uint8Array): [pid: number, type: number][] {
  const section = payload.subarray(1 + byte(payload, 0))
  const end = 3 + (byte(section, 1) & 0x0f) * 256 + byte(section, 2) - 4
  const streams: [number, number][] = []
  let at = 12 + (byte(section, 10) & 0x0f) * 256 + byte(section, 11)
  while (at + 5 <= end) {
    streams.push([(byte(section, at + 1) & 0x1f) * 256 + byte(section, at + 2), byte(section, at)])
    at += 5 + (byte(section, at + 3) & 0x0f) * 256 + byte(section, at + 4)
  }
  return streams
}

/** Five bytes with marker bits (2.4.3.7). */
function ptsOf(pes: Uint8Array): number {
  if ((byte(pes, 7) & 0x80) === 0) return Number.NaN
  const high = (byte(pes, 9) >> 1) & 0x07
  const middle = (byte(pes, 10) << 7) | (byte(pes, 11) >> 1)
  const low = (byte(pes, 12) << 7) | (byte(pes, 13) >> 1)
  return high * 2 ** 30 + middle * 2 ** 15 + low
}

function describeVideo(units: readonly Unit[]): ScannedVideo {
  const first = units[0]
  const types = first ? nalTypes(join(first.parts)) : []
  const idr = types.indexOf(5)
  const startsClean = idr !== -1 && inOrder(types, 7, idr) && inOrder(types, 8, idr) && !types.includes(1)
  return { ...span(units), units: units.length, startsClean }
}

function inOrder(types: readonly number[], before: number, at: number): boolean {
  const found = types.indexOf(before)
  return found !== -1 && found < at
}

function describeAudio(units: readonly Unit[]): ScannedStream {
  return { ...span(units), units: units.reduce((sum, unit) => sum + adtsFrames(join(unit.parts)), 0) }
}

function span(units: readonly Unit[]): { firstPts: number; lastPts: number } {
  let firstPts = Number.POSITIVE_INFINITY
  let lastPts = Number.NEGATIVE_INFINITY
  for (const { pts } of units) {
    firstPts = Math.min(firstPts, pts)
    lastPts = Math.max(lastPts, pts)
  }
  return { firstPts, lastPts }
}

/** Types of the NAL units of one picture, found by their start codes. */
function nalTypes(bytes: Uint8Array): number[] {
  const types: number[] = []
  for (let at = 0; at + 3 < bytes.length; at += 1) {
    if (bytes[at] === 0 && bytes[at + 1] === 0 && bytes[at + 2] === 1) types.push(byte(bytes, at + 3) & 0x1f)
  }
  return types
}

/** A packet of sound holds several ADTS frames, each saying how long it is. */
function adtsFrames(bytes: Uint8Array): number {
  let frames = 0
  let at = 0
  while (at + 7 <= bytes.length && bytes[at] === 0xff && (byte(bytes, at + 1) & 0xf0) === 0xf0) {
    const length = ((byte(bytes, at + 3) & 3) << 11) | (byte(bytes, at + 4) << 3) | (byte(bytes, at + 5) >> 5)
    if (length < 7) return frames
    frames += 1
    at += length
  }
  return frames
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

function byte(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0
}
