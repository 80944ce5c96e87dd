import type { Plan, PlannedRendition, PlannedTask } from '../../shared/plan.ts'
import { EPOCH_US } from './segment-grid.ts'

/** What the source is read from: a signed URL, bound to the bytes that were accepted. */
export interface SourceInput {
  readonly url: string
  readonly etag: string
  /** Name of the host when the URL holds its address. */
  readonly host?: string
}

/** What the installed ffmpeg can do; probed, since builds differ more than versions say. */
export interface Features {
  /** `-fps_mode` exists; older builds call it `-vsync`. */
  readonly fpsMode: boolean
  /** zscale and tonemap exist, so HDR can be shown on ordinary screens with its colours right. */
  readonly toneMap: boolean
  /** It can be given URLs with host names. */
  readonly resolvesNames: boolean
}

/** One run of ffmpeg: options before the input, the input, a filter graph, and outputs with their options. */
export interface FfmpegJob {
  readonly inputOptions: readonly string[]
  readonly input: string
  /** Arguments of a first ffmpeg whose standard output is the input. It is fed on only if that one ends well. */
  readonly feed?: readonly string[]
  readonly filter?: string
  readonly outputs: readonly { readonly options: readonly string[]; readonly path: string }[]
}

const TICKS = 90_000

/** A source is somebody else's file: a playlist named .mp4 would otherwise be followed to any host. */
const FORMATS = 'mov,matroska,avi,flv,mpegts,mpeg,asf,ogg,wav,mp3,aac'
/** Never two frames at one time: a transport stream has no place for the second. */
const LATER = 'isnan(prev_selected_pts)+gt(pts\\,prev_selected_pts)'
const PROTOCOLS = 'http,https,tcp,tls'
/**
 * Less than a tick. With no offset at all, ffmpeg moves a transport stream that begins at exactly 0 by the start of the
 * streams that are read, `-copyts` or not ("Correcting start time" in process_input of ffmpeg.c).
 */
const NO_CORRECTION = 0.000001

/** Options that stand before `-i` for ffmpeg and ffprobe alike. */
function readOptions({ etag, host }: SourceInput): string[] {
  const headers = [`If-Match: "${etag.replaceAll('"', '')}"`, ...(host ? [`Host: ${host}`] : [])]
  return [
    ...['-protocol_whitelist', PROTOCOLS],
    ...['-format_whitelist', FORMATS],
    ...['-rw_timeout', '60000000'],
    // Work reads slower than servers like to send, so a dropped connection is taken up again where it stopped.
    ...['-reconnect', '1', '-reconnect_delay_max', '10'],
    ...['-headers', headers.map((line) => `${line}\r\n`).join('')],
  ]
}

/** Arguments of ffprobe that describe container and streams as JSON. */
export function describeArgs(source: SourceInput): string[] {
  const show = ['-v', 'warning', '-of', 'json', '-show_streams', '-show_format']
  return [...show, ...readOptions(source), source.url]
}

/** Arguments of ffprobe that print one line a packet. */
export function packetArgs(source: SourceInput, entries: string): string[] {
  // Warnings: that a packet is damaged is one, and older builds have no flag for it.
  return ['-v', 'warning', '-of', 'csv=p=0', '-show_entries', entries, ...readOptions(source), source.url]
}

/**
 * Decodes the picture as an encoding would and writes the time of every frame to a file, one line each; for sources whose
 * packets do not tell. ffprobe would leave out times that ffmpeg fills in.
 */
export function listFramesJob(source: SourceInput, path: string, threads: number, features: Features): FfmpegJob {
  const sync = [features.fpsMode ? '-fps_mode' : '-vsync', 'passthrough', '-enc_time_base', '1:90000']
  return {
    // As many threads as will decode it for the encoding: what is shown of a damaged picture depends on them.
    ...inputOf(source, ['-threads', `${threads}`]),
    filter: `[0:V:0]settb=1/90000,select='${LATER}'[v]`,
    outputs: [{ options: ['-map', '[v]', ...sync, '-c:v', 'wrapped_avframe', '-f', 'framecrc'], path }],
  }
}

/**
 * Lists the IDR pictures of H.264 to one file, and to another the parameter sets that a copy would have before each, one
 * line and checksum a picture. Nothing is decoded.
 */
export function listKeyPicturesJob(source: SourceInput, pictures: string, parameters: string): FfmpegJob {
  const list = (filters: string) => ['-map', '0:V:0', '-c:v', 'copy', '-bsf:v', filters, '-f', 'framecrc']
  return {
    ...inputOf(source, []),
    outputs: [
      { options: list('filter_units=pass_types=5'), path: pictures },
      { options: list('h264_mp4toannexb,filter_units=pass_types=7-8'), path: parameters },
    ],
  }
}

/** The top rung from the source's own packets, cut at its key frames. */
export function copyJob(source: SourceInput, plan: Plan, task: PlannedTask, dir: string): FfmpegJob {
  const offset = (EPOCH_US - plan.originUs) / 1e6
  return {
    ...inputOf(source, []),
    outputs: task.renditions.map((name) => ({
      options: [
        ...['-map', '0:V:0', '-c:v', 'copy', '-bsf:v', 'h264_mp4toannexb'],
        ...['-output_ts_offset', offset.toFixed(6)],
        ...segmentOptions(videoCuts(plan)),
      ],
      path: `${dir}/${name}/%d.ts`,
    })),
  }
}

/** All encoded rungs from one decoding; key frames stand exactly where segments begin. */
export function videoJob(
  source: SourceInput,
  plan: Plan,
  task: PlannedTask,
  dir: string,
  traits: { readonly progressive: boolean; readonly hdr: boolean },
  features: Features,
): FfmpegJob {
  const rungs = task.renditions.map((name) => renditionOf(plan, name))
  const threads = rungs.map((rung) => (rung.encoder?.codec === 'h264' ? rung.encoder.threads : 1))
  return {
    ...inputOf(source, ['-threads', `${Math.max(...threads)}`]),
    filter: videoFilter(plan, rungs, traits, features),
    outputs: rungs.map((rung, at) => ({
      options: [
        ...['-map', `[v${at}]`, features.fpsMode ? '-fps_mode' : '-vsync', 'passthrough', '-enc_time_base', '1:90000'],
        ...encoderOptions(rung),
        ...keyFrames(videoCuts(plan)),
        ...segmentOptions(videoCuts(plan)),
      ],
      path: `${dir}/${rung.name}/%d.ts`,
    })),
  }
}

/** What every run begins with. */
export const QUIET = ['-hide_banner', '-nostats', '-v', 'warning', '-copyts']

/** Options of a run that reads the source, and the source. */
export function inputOf(source: SourceInput, options: readonly string[], offsetSeconds = NO_CORRECTION) {
  const common = ['-nostdin', ...QUIET, '-itsoffset', offsetSeconds.toFixed(6)]
  return { inputOptions: [...common, ...options, ...readOptions(source)], input: source.url }
}

/** A rendition that the plan must have. */
export function renditionOf(plan: Plan, name: string): PlannedRendition {
  const found = plan.renditions.find((one) => one.name === name)
  if (!found) throw new RangeError(`the plan has no rendition ${name}`)
  return found
}

function videoCuts(plan: Plan): number[] {
  return plan.video.cutsUs.map((cut) => cut + EPOCH_US)
}

function videoFilter(
  plan: Plan,
  rungs: readonly PlannedRendition[],
  traits: { readonly progressive: boolean; readonly hdr: boolean },
  features: Features,
): string {
  const origin = Math.round((plan.originUs * TICKS) / 1e6)
  const epoch = (EPOCH_US * TICKS) / 1e6
  const chain = [
    'settb=1/90000',
    // Nothing before the planned first frame.
    `select='gte(pts\\,${origin - 2})*(${LATER})'`,
    `setpts=PTS-(${origin})+${epoch}`,
    ...(traits.progressive ? [] : ['yadif=mode=send_frame', 'settb=1/90000']),
    ...(traits.hdr && features.toneMap ? [TONE_MAP] : []),
    'format=yuv420p',
    `split=${rungs.length}`,
  ]
  const splits = rungs.map((_, at) => `[s${at}]`).join('')
  const scales = rungs.map((rung, at) => `[s${at}]scale=${rung.width}:${rung.height}:flags=bicubic,setsar=1[v${at}]`)
  return [`[0:V:0]${chain.join(',')}${splits}`, ...scales].join(';')
}

const TONE_MAP =
  'zscale=pin=bt2020:min=bt2020nc:t=linear:npl=100,format=gbrpf32le,tonemap=hable:desat=0,zscale=p=bt709:t=bt709:m=bt709:r=tv'

function encoderOptions(rung: PlannedRendition): string[] {
  const { encoder } = rung
  if (encoder?.codec !== 'h264') throw new RangeError(`rendition ${rung.name} is not to be encoded as H.264`)
  return [
    ...['-c:v', 'libx264', '-preset', encoder.preset, '-crf', `${encoder.crf}`],
    ...['-maxrate', `${encoder.maxrateKbps}k`, '-bufsize', `${encoder.bufsizeKbps}k`],
    ...(encoder.bFrames === undefined ? [] : ['-bf', `${encoder.bFrames}`]),
    ...['-profile:v', encoder.profile, '-level', (encoder.level / 10).toFixed(1), '-threads', `${encoder.threads}`],
    // The time base is that of MPEG-TS; older builds would take it for the frame rate in rate control.
    ...['-x264-params', `fps=${Math.round(rung.frameRate * 1000)}/1000`],
  ]
}

/** Key frames at the cuts and nowhere else; each is an IDR frame, and no frame refers across it. */
function keyFrames(cutsUs: readonly number[]): string[] {
  const forced = cutsUs.length === 0 ? [] : ['-force_key_frames', times(cutsUs)]
  return ['-g', '100000', '-sc_threshold', '0', '-flags', '+cgop', '-forced-idr', '1', ...forced]
}

/** One file a segment, each a transport stream of its own with absolute times; restarted counters are announced. */
export function segmentOptions(cutsUs: readonly number[]): string[] {
  const where = cutsUs.length === 0 ? ['-segment_time', '10000000'] : ['-segment_times', times(cutsUs)]
  return [
    ...['-map_metadata', '-1', '-map_chapters', '-1', '-sn', '-dn'],
    ...['-muxdelay', '0', '-muxpreload', '0', '-avoid_negative_ts', 'disabled'],
    ...['-f', 'segment', '-segment_format', 'mpegts', ...where, '-segment_time_delta', '0'],
    ...['-segment_format_options', 'mpegts_flags=initial_discontinuity'],
  ]
}

function times(cutsUs: readonly number[]): string {
  return cutsUs.map((cut) => (cut / 1e6).toFixed(5)).join(',')
}

/** The command as it can be pasted into a shell, without the signature of the URL. */
export function shellLine(program: string, args: readonly string[]): string {
  return [program, ...args].map((arg) => shellWord(arg.replace(/^(https?:\/\/[^?]*)\?.*/, '$1?…'))).join(' ')
}

function shellWord(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word
  return word.includes('\r') ? `$'${word.replaceAll('\r\n', '\\r\\n')}'` : `'${word.replaceAll("'", `'\\''`)}'`
}

/** The arguments of a job in ffmpeg's order. */
export function jobArgs(job: FfmpegJob): string[] {
  const filter = job.filter === undefined ? [] : ['-filter_complex', job.filter]
  return [
    ...job.inputOptions,
    '-i',
    job.input,
    '-y',
    ...filter,
    ...job.outputs.flatMap((output) => [...output.options, output.path]),
  ]
}
