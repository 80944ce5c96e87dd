import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runTool } from '../../ffmpeg/run.ts'
import type { Reply } from '../context.ts'
import { OssError } from '../errors.ts'
import type { Processed } from './image.ts'
import { type Action, ActionParameters, invalidValue } from './parse.ts'

/** A picture out of a video. https://help.aliyun.com/zh/oss/user-guide/video-snapshots */
export interface Snapshot {
  readonly atMs: number
  readonly format: 'jpg' | 'png'
  /** 0: as the other one demands. */
  readonly width: number
  readonly height: number
  /** The last key frame before that time, which is found sooner. */
  readonly fast: boolean
  readonly autoRotate: boolean
}

/** Reads `snapshot,t_1000,f_jpg,w_800`. */
export function readSnapshot(action: Action): Snapshot {
  if (action.name !== 'snapshot') throw new OssError('InvalidArgument', {}, 'Operation is not supported.')
  const parameters = new ActionParameters(action)
  const side = (name: string) => parameters.integer(name, 0, 16_384) ?? 0
  return {
    atMs: readTime(parameters.text('t') ?? '0'),
    format: parameters.choice('f', ['jpg', 'png']) ?? 'jpg',
    width: side('w'),
    height: side('h'),
    fast: parameters.choice('m', ['fast']) === 'fast',
    autoRotate: parameters.choice('ar', ['auto']) === 'auto',
  }
}

function readTime(text: string): number {
  if (/^\d{1,10}$/.test(text)) return Number(text)
  throw invalidValue('t', text)
}

/** Answers a read of the video, or of the range of it that the header names. */
export type ReadVideo = (range: string | undefined) => Promise<Reply>

const TIMEOUT_MS = 30_000

/** Takes the picture with ffmpeg, which reads only what it needs of the video. */
export async function takeSnapshot(
  snapshot: Snapshot,
  ffmpeg: string,
  read: ReadVideo,
  client: AbortSignal,
): Promise<Processed> {
  const source = await serveVideo(read)
  const signal = AbortSignal.any([client, AbortSignal.timeout(TIMEOUT_MS)])
  try {
    const { output, log } = await runTool(ffmpeg, snapshotArgs(snapshot, source.url), { signal })
    checkVideo(log)
    const bytes = output.length > 0 ? output : await lastFrame(snapshot, ffmpeg, source.url, signal)
    return { contentType: snapshot.format === 'jpg' ? 'image/jpeg' : 'image/png', bytes }
  } finally {
    await source.close()
  }
}

/** As the service, which knows two codecs; https://help.aliyun.com/zh/oss/user-guide/video-snapshots says no code for others. */
function checkVideo(log: string): void {
  const codec = /Stream #0:\d+.*?: Video: (\w+)/.exec(log)?.[1]
  if (codec === 'h264' || codec === 'hevc') return
  const message = codec ? 'The video must be H.264 or H.265.' : 'The object is not a video that can be read.'
  throw new OssError('BadRequest', {}, message)
}

/** What ffmpeg is started with. */
export function snapshotArgs(snapshot: Snapshot, url: string): string[] {
  // Without the times of the source, what lies before the wanted moment would be dropped after all.
  const keyFrame = snapshot.fast ? ['-copyts', '-noaccurate_seek'] : []
  const seek = [...keyFrame, '-ss', (snapshot.atMs / 1000).toFixed(3)]
  return [...inputArgs(snapshot, seek, url), '-frames:v', '1', ...pictureArgs(snapshot), '-f', 'image2pipe', 'pipe:1']
}

function inputArgs({ autoRotate }: Snapshot, seek: readonly string[], url: string): string[] {
  const rotate = autoRotate ? [] : ['-noautorotate']
  return ['-nostdin', '-hide_banner', '-loglevel', 'info', '-nostats', ...rotate, ...seek, '-i', url, '-map', '0:v:0']
}

function pictureArgs({ width, height, format }: Snapshot): string[] {
  const scale = width === 0 && height === 0 ? [] : ['-vf', `scale=${width || -1}:${height || -1}`]
  return [...scale, ...(format === 'jpg' ? ['-c:v', 'mjpeg', '-pix_fmt', 'yuvj420p', '-q:v', '2'] : ['-c:v', 'png'])]
}

/** A time behind the end means the last frame; only the end of the video tells which one that is. */
async function lastFrame(snapshot: Snapshot, ffmpeg: string, url: string, signal: AbortSignal): Promise<Buffer> {
  const dir = await mkdtemp(join(tmpdir(), 'snapshot-'))
  try {
    const file = join(dir, `last.${snapshot.format}`)
    const args = [...inputArgs(snapshot, ['-sseof', '-3'], url), ...pictureArgs(snapshot), '-update', '1', '-y', file]
    const { log } = await runTool(ffmpeg, args, { signal })
    checkVideo(log)
    return await readFile(file)
  } catch (error) {
    throw error instanceof OssError ? error : new OssError('InternalError')
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

/** Lets ffmpeg read the video over HTTP, at an address that nobody else knows. */
async function serveVideo(read: ReadVideo): Promise<{ readonly url: string; close(): Promise<void> }> {
  const path = `/${randomBytes(16).toString('hex')}`
  const server = createServer((request, response) => {
    if (request.url !== path) return void response.writeHead(404).end()
    void pass(read, request.headers.range, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}${path}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function pass(read: ReadVideo, range: string | undefined, response: ServerResponse): Promise<void> {
  response.on('error', () => {})
  try {
    const { status, headers = [], body } = await read(range)
    if (typeof body !== 'object') return void response.writeHead(500).end()
    for (const [name, value] of headers) if (name === 'Content-Range') response.setHeader(name, value)
    response.writeHead(status, { 'Accept-Ranges': 'bytes', 'Content-Length': body.bytes })
    await body.send(response).finally(body.release)
    if (!response.destroyed) response.end()
  } catch {
    response.destroy()
  }
}
