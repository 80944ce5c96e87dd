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
  const reader = readAll(bytes)
  if (!reader) return { startsWithTables: false, video: undefined, audio: undefined }
  const { video, audio } = reader
  return {
    startsWithTables: tablesFirst(bytes, reader.mapPid()),
    video: video.units.length === 0 ? undefined : describeVideo(video.units),
    audio: audio.units.length === 0 ? undefined : describeAudio(audio.units),
  }
}

/** Readers tell a transport stream by its packets (libavformat/mpegts.c asks for 11 of up to 204 bytes). */
const LEAST_PACKETS = 16
/** Identifier 0x1fff: padding, which every reader passes over. */
const NULL_PACKET = Uint8Array.from({ length: PACKET }, (_, at) => [SYNC, 0x1f, 0xff, 0x10][at] ?? 0xff)

/** The same segment, padded where it is so short that a reader would take it for something else. */
export function recognisable(bytes: Uint8Array): Uint8Array {
  const missing = LEAST_PACKETS - Math.floor(bytes.length / PACKET)
  return missing <= 0 ? bytes : join([bytes, ...Array.from({ length: missing }, () => NULL_PACKET)])
}

/**
 * Moves the first decoding times of a first segment, in place, to between the first picture and the next one. Reordering
 * makes the encoder's begin before the first picture; hls.js takes the earliest time of any kind as the start of the
 * playlist, and would show everything late by that much. Presentation times stay as they are.
 */
export function decodeFromFirstPicture(bytes: Uint8Array): void {
  const units = readAll(bytes)?.video.units ?? []
  const start = units[0]?.pts ?? Number.NaN
  const early = units.findIndex((unit) => dtsOf(unit.head) > start)
  const count = early === -1 ? units.length : early
  // The next decoding time that stays, and every picture that is still to be shown, are later than what is given here.
  const limit = units.slice(1).reduce((least, unit) => Math.min(least, unit.pts), dtsAt(units, early, start + count))
  if (limit - start < count || units.slice(0, count).some((unit) => !hasBothTimes(unit.head))) return
  for (const [at, { head }] of units.slice(0, count).entries()) {
    writeDts(head, start + Math.floor((at * (limit - start)) / count))
  }
}

function dtsAt(units: readonly Unit[], at: number, otherwise: number): number {
  const unit = units[at]
  return unit ? dtsOf(unit.head) : otherwise
}

/** Follows a whole segment; `undefined` when it is not a transport stream throughout. */
function readAll(bytes: Uint8Array) {
  const reader = makeReader()
  for (let at = 0; at + PACKET <= bytes.length; at += PACKET) {
    const packet = bytes.subarray(at, at + PACKET)
    if (packet[0] !== SYNC) return undefined
    reader.read(packet)
  }
  return reader
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
  /** The first packet's part, which begins with the header; a view of the segment. */
  readonly head: Uint8Array
  readonly parts: Uint8Array[]
}

function collector() {
  const units: Unit[] = []
  return {
    units,
    add(payload: Uint8Array, starts: boolean): void {
      if (starts) units.push({ pts: ptsOf(payload), head: payload, parts: [payload.subarray(9 + byte(payload, 8))] })
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
  return (byte(pes, 7) & 0x80) === 0 ? Number.NaN : timeAt(pes, 9)
}

/** The decoding time is that of presentation when it is not written. */
function dtsOf(pes: Uint8Array): number {
  return hasBothTimes(pes) ? timeAt(pes, 14) : ptsOf(pes)
}

function hasBothTimes(pes: Uint8Array): boolean {
  return (byte(pes, 7) & 0xc0) === 0xc0 && pes.length >= 19
}

function timeAt(pes: Uint8Array, at: number): number {
  const high = (byte(pes, at) >> 1) & 0x07
  const middle = (byte(pes, at + 1) << 7) | (byte(pes, at + 2) >> 1)
  const low = (byte(pes, at + 3) << 7) | (byte(pes, at + 4) >> 1)
  return high * 2 ** 30 + middle * 2 ** 15 + low
}

function writeDts(pes: Uint8Array, ticks: number): void {
  const high = Math.floor(ticks / 2 ** 30) & 0x07
  const middle = Math.floor(ticks / 2 ** 15) & 0x7fff
  const low = ticks & 0x7fff
  pes.set([0x11 | (high << 1), middle >> 7, ((middle << 1) & 0xff) | 1, low >> 7, ((low << 1) & 0xff) | 1], 14)
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
