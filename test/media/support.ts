import { execFile } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { mediaTools } from '../../functions/ffmpeg-transcode/ffmpeg.ts'
import { type Deps, onTask } from '../../functions/ffmpeg-transcode/on-task.ts'
import type { MediaInfo, Plan, TaskKind } from '../../shared/plan.ts'
import type { StoredRun } from '../../shared/tables/segments.ts'
import type { VideoError } from '../../shared/video-errors.ts'

const run = promisify(execFile)
/** Outputs are measured with the system's tools, whichever ones made them. */
const FFMPEG = 'ffmpeg'
const FFPROBE = 'ffprobe'

/** One file over HTTP with ranges and If-Match, as an object store serves it. */
export async function serveFile(path: string) {
  const served: Served = { path, etag: '0123456789ABCDEF', drops: 0 }
  const server = createServer((request, response) => void answer(served, request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const close = () => {
    server.closeAllConnections()
    return new Promise<void>((resolve) => server.close(() => resolve()))
  }
  return { served, url: `http://localhost:${port}/source?Signature=secret`, close }
}

interface Served {
  path: string
  etag: string
  /** How many more answers are broken off in the middle of the file. */
  drops: number
}

async function answer(served: Served, request: IncomingMessage, response: ServerResponse) {
  const { size } = await stat(served.path)
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '')
  const start = Number(range?.[1] ?? 0)
  const refusal = request.headers['if-match'] !== `"${served.etag}"` ? 412 : start >= size && size > 0 ? 416 : 0
  if (refusal > 0) return void response.writeHead(refusal).end()
  const end = Math.min(size - 1, Number(range?.[2] || size - 1))
  const partial = range ? { 'content-range': `bytes ${start}-${end}/${size}` } : {}
  response.writeHead(range ? 206 : 200, { 'content-length': end - start + 1, 'accept-ranges': 'bytes', ...partial })
  if (end < start) return void response.end()
  const middle = Math.floor(size / 2)
  if (served.drops > 0 && end > middle) {
    served.drops -= 1
    const part = start < middle ? createReadStream(served.path, { start, end: middle }) : Readable.from([])
    part.on('end', () => setTimeout(() => response.destroy(), 20))
    return void part.pipe(response, { end: false })
  }
  const body = createReadStream(served.path, { start, end })
  response.on('close', () => body.destroy())
  body.pipe(response)
}

export interface Bench {
  readonly deps: Deps
  readonly objects: Map<string, Uint8Array>
  readonly errors: VideoError[]
  readonly listings: (readonly StoredRun[])[]
  plan(): Plan
  info(): MediaInfo
  /** Runs one task to its end. */
  task(kind: TaskKind, taskId: string): Promise<void>
  /** Probe, then every task of the plan. */
  all(): Promise<void>
  /** All segments of a rendition, in order. */
  joined(rendition: string): Uint8Array
  /** The same, one by one. */
  segments(rendition: string): Uint8Array[]
}

const { PATH, FFMPEG_PATH, FFPROBE_PATH } = process.env
/** The tools under test: the system's, or those that the environment names. */
export const tools = mediaTools({ ffmpegPath: FFMPEG_PATH, ffprobePath: FFPROBE_PATH, env: { PATH } })

/** Every claim and renewal is granted; failures are kept. */
function alwaysMine(errors: VideoError[]): Deps['tasks'] {
  const yes = async () => true
  const granted = {
    create: yes,
    raise: yes,
    revive: yes,
    dispatched: yes,
    claim: yes,
    renew: yes,
    finish: yes,
    settle: yes,
  }
  return {
    ...granted,
    endAttempt: yes,
    fail: yes,
    all: async () => [],
    async giveUp(_task, _owner, error) {
      errors.push(error)
      return true
    },
  }
}

/** A worker with everything around it in memory; the source and ffmpeg are real. */
export function bench(source: Awaited<ReturnType<typeof serveFile>>, changes: Partial<Deps> = {}): Bench {
  const objects = new Map<string, Uint8Array>()
  const errors: VideoError[] = []
  const listings: (readonly StoredRun[])[] = []
  const saved: { plan?: Plan; info?: MediaInfo } = {}
  const media = () => ({
    mediaId: 'media1',
    state: 'live' as const,
    sourceKey: 'uploads/u/source',
    sourceEtag: '0123456789ABCDEF',
    sizeBytes: 0,
    crc64: '',
    fault: undefined,
    emptiedAt: 0,
    planId: saved.plan?.planId ?? '',
    plan: saved.plan,
    info: saved.info,
  })
  const deps: Deps = {
    tasks: alwaysMine(errors),
    owner: 'worker',
    now: Date.now,
    media: {
      find: async () => media(),
      async savePlan(_mediaId, plan, info) {
        // As rows do: only what survives JSON.
        Object.assign(saved, JSON.parse(JSON.stringify({ plan, info })))
        return true
      },
    },
    segments: {
      async publish(_mediaId, _planId, stored) {
        listings.push(structuredClone(stored))
      },
    },
    sources: {
      url: async () => source.url,
      head: async () => ({ etag: source.served.etag, sizeBytes: (await stat(source.served.path)).size }),
    },
    outputs: {
      async putNew(key, bytes) {
        const twin = objects.get(key)
        if (!twin) objects.set(key, bytes)
        return { sizeBytes: (twin ?? bytes).length }
      },
    },
    tools,
    threads: 2,
    deadlineMs: 60_000,
    notify: async () => {},
    ...changes,
  }
  const found = <T>(value: T | undefined): T => {
    if (value === undefined) throw new Error(`there is no plan: ${JSON.stringify(errors)}`)
    return value
  }
  const task = (kind: TaskKind, taskId: string) =>
    onTask({ mediaId: 'media1', planId: saved.plan?.planId ?? '', taskId, kind, attempt: 1 }, deps)
  return {
    deps,
    objects,
    errors,
    listings,
    plan: () => found(saved.plan),
    info: () => found(saved.info),
    task,
    async all() {
      await task('probe', 'probe')
      for (const one of saved.plan?.tasks ?? []) await task(one.kind, one.taskId)
    },
    joined: (rendition) => Buffer.concat(segmentsOf(objects, rendition)),
    segments: (rendition) => segmentsOf(objects, rendition),
  }
}

function segmentsOf(objects: ReadonlyMap<string, Uint8Array>, rendition: string): Uint8Array[] {
  const own = [...objects].filter(([key]) => key.includes(`/${rendition}/`))
  const number = (key: string) => Number(/(\d+)\.ts$/.exec(key)?.[1])
  own.sort(([a], [b]) => number(a) - number(b))
  return own.map(([, bytes]) => bytes)
}

/** Presentation times of all decoded frames, as whole numbers in the stream's time base. */
export async function decodedTimes(path: string, stream = 'v:0'): Promise<{ times: number[]; stderr: string }> {
  const show = ['-v', 'warning', '-select_streams', stream, '-show_entries', 'frame=best_effort_timestamp']
  const args = [...show, '-of', 'csv=p=0', ...demuxer(path), path]
  const { stdout, stderr } = await run(FFPROBE, args, { maxBuffer: 1 << 26 })
  const times: number[] = []
  for (const line of stdout.split('\n')) {
    // AVI has no time for the last frame of its decoder: it follows at the distance of those before.
    if (/^-?\d|^N/.test(line)) times.push(/^-?\d/.test(line) ? Number.parseInt(line, 10) : following(times))
  }
  return { times, stderr }
}

function following(times: readonly number[]): number {
  const last = times.at(-1) ?? 0
  return last + (last - (times.at(-2) ?? 0))
}

/** Plays a playlist to its end: how many pictures of the first rendition were shown, and whatever was complained about. */
export async function play(master: string): Promise<{ frames: number; complaints: string[] }> {
  const args = ['-hide_banner', '-nostdin', '-v', 'warning', '-stats', '-copyts', '-i', master]
  const output = ['-map', '0', '-fps_mode', 'passthrough', '-enc_time_base', '1:90000', '-f', 'null', '-']
  const { stderr } = await run(FFMPEG, [...args, ...output], { maxBuffer: 1 << 26 })
  const lines = stderr.split(/[\r\n]+/).filter((line) => line !== '' && !/^(frame|size)=/.test(line))
  return { frames: Number([...stderr.matchAll(/frame=\s*(\d+)/g)].at(-1)?.[1] ?? 0), complaints: lines }
}

/** Size of the picture as it is stored, and whether it is shown like that. */
export async function shapeOf(path: string): Promise<{ size: string; squarePixels: boolean }> {
  const show = ['-v', 'error', ...demuxer(path), '-select_streams', 'v:0']
  const { stdout } = await run(FFPROBE, [
    ...show,
    '-show_entries',
    'stream=width,height,sample_aspect_ratio',
    '-of',
    'json',
    path,
  ])
  const [stream] = (
    JSON.parse(stdout) as { streams: { width: number; height: number; sample_aspect_ratio?: string }[] }
  ).streams
  return {
    size: `${stream?.width}x${stream?.height}`,
    squarePixels: ['1:1', undefined].includes(stream?.sample_aspect_ratio),
  }
}

/** A segment of one frame is too short to be recognised by its bytes. */
function demuxer(path: string): string[] {
  return path.endsWith('.ts') ? ['-f', 'mpegts'] : []
}

/** Seconds at which the picture turns white. */
export async function flashes(path: string): Promise<number[]> {
  const args = [
    '-v',
    'error',
    '-f',
    'lavfi',
    '-i',
    `movie=${path},signalstats`,
    '-show_entries',
    'frame=best_effort_timestamp_time,pts_time:frame_tags=lavfi.signalstats.YAVG',
    '-of',
    'compact',
  ]
  const { stdout } = await run(FFPROBE, args, { maxBuffer: 1 << 26 })
  const frames = stdout.split('\n').flatMap((line) => {
    const time = /pts_time=([\d.]+)/.exec(line)?.[1] ?? /timestamp_time=([\d.]+)/.exec(line)?.[1]
    const bright = /YAVG=([\d.]+)/.exec(line)?.[1]
    return time && bright ? [{ time: Number(time), on: Number(bright) > 150 }] : []
  })
  return rises(frames)
}

/** Seconds at which the tone begins. */
export async function beeps(path: string): Promise<number[]> {
  const { stdout } = await run(
    FFMPEG,
    ['-v', 'error', '-i', path, '-map', '0:a:0', '-ac', '1', '-ar', '48000', '-f', 's16le', '-'],
    { maxBuffer: 1 << 26, encoding: 'buffer' },
  )
  const start = await firstTime(path)
  const windows = []
  for (let at = 0; at + 96 <= stdout.length / 2; at += 48) {
    let peak = 0
    for (let i = at; i < at + 96; i += 1) peak = Math.max(peak, Math.abs(stdout.readInt16LE(i * 2)))
    windows.push({ time: start + at / 48_000, on: peak > 3000 })
  }
  return rises(windows).filter((time, index, all) => index === 0 || time - (all[index - 1] ?? 0) > 0.5)
}

async function firstTime(path: string): Promise<number> {
  const { stdout } = await run(FFPROBE, [
    '-v',
    'error',
    '-select_streams',
    'a:0',
    '-show_entries',
    'packet=pts_time',
    '-of',
    'csv=p=0',
    '-read_intervals',
    '%+#1',
    path,
  ])
  return Number.parseFloat(stdout)
}

/** Seconds in one unit of a stream's time base. */
export async function timeBase(path: string): Promise<number> {
  const show = ['-v', 'error', '-select_streams', 'v:0', '-show_entries', 'stream=time_base', '-of', 'csv=p=0']
  const { stdout } = await run(FFPROBE, [...show, path])
  const [, over, under] = /(\d+)\/(\d+)/.exec(stdout) ?? []
  return Number(over) / Number(under)
}

function rises(samples: readonly { time: number; on: boolean }[]): number[] {
  return samples.filter((sample, at) => sample.on && !samples[at - 1]?.on).map((sample) => sample.time)
}
