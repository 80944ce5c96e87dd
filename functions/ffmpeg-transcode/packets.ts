/** The packets of the picture in decoding order; times and lengths in units of its stream, NaN when missing. */
export interface Track {
  readonly times: number[]
  readonly lengths: number[]
  readonly sizes: number[]
  readonly key: boolean[]
  readonly discarded: boolean[]
  bytes: number
  /** The earliest decoding time; the latest so far, and how far a later packet went back behind it. */
  earliest: number
  latest: number
  setback: number
}

export interface Packets {
  readonly track: Track
  /** The sound needs no list: where it begins and ends, in units of its stream. */
  readonly sound: { count: number; first: number; end: number }
  /** Packets with a flag that says so, and more when the reader complained. */
  corrupt: number
  /** The reader met the end of the file inside a packet. */
  endsEarly: boolean
}

/** ffprobe prints entries in its own order, whatever order they are asked in. */
export const PACKET_ENTRIES = 'packet=stream_index,pts,dts,duration,size,flags'

/** An empty record to be filled line by line, so that a long film is never held as text. */
export function emptyPackets(): Packets {
  return {
    track: {
      times: [],
      lengths: [],
      sizes: [],
      key: [],
      discarded: [],
      bytes: 0,
      earliest: Number.POSITIVE_INFINITY,
      latest: Number.NEGATIVE_INFINITY,
      setback: 0,
    },
    sound: { count: 0, first: Number.POSITIVE_INFINITY, end: Number.NEGATIVE_INFINITY },
    corrupt: 0,
    endsEarly: false,
  }
}

/** Adds one line of `-of csv=p=0` output; lines of side data are passed over. */
export function addPacketLine(packets: Packets, line: string, videoIndex: number, audioIndex: number): void {
  const fields = line.split(',')
  if (fields.length < 6 || fields[0] === '') return
  const index = Number(fields[0])
  if (index === videoIndex) addVideo(packets, fields)
  if (index === audioIndex) addAudio(packets, fields)
}

function addVideo(packets: Packets, fields: readonly string[]): void {
  const { track } = packets
  const flags = fields[5] ?? ''
  const size = Number(fields[4]) || 0
  track.times.push(Number(fields[1]))
  track.lengths.push(Number(fields[3]))
  track.sizes.push(size)
  track.key.push(flags.includes('K'))
  track.discarded.push(flags.includes('D'))
  track.bytes += size
  const decoded = Number(fields[2])
  if (Number.isFinite(decoded)) {
    track.setback = Math.max(track.setback, track.latest - decoded)
    track.latest = Math.max(track.latest, decoded)
    track.earliest = Math.min(track.earliest, decoded)
  }
  if (flags.includes('C')) packets.corrupt += 1
}

function addAudio(packets: Packets, fields: readonly string[]): void {
  const time = Number(fields[1])
  const { sound } = packets
  if (!Number.isFinite(time) || (fields[5] ?? '').includes('D')) return
  sound.count += 1
  sound.first = Math.min(sound.first, time)
  sound.end = Math.max(sound.end, time + (Number(fields[3]) || 0))
}
