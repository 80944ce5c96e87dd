import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import * as HLS from 'hls-parser'
import { decodedTimes, timeBase } from '../media/support.ts'

const run = promisify(execFile)

/** One rendition as a viewer gets it: every segment followed through its redirect and joined into one file. */
export interface Joined {
  readonly name: string
  readonly kind: 'video' | 'audio'
  readonly file: string
  readonly segments: number
  readonly targetDuration: number
  readonly durations: readonly number[]
  readonly endList: boolean
}

/** Fetches a video as a player does; playlists must pass hls-parser in strict mode. */
export async function fetchRenditions(masterUrl: string, dir: string): Promise<Joined[]> {
  await mkdir(dir, { recursive: true })
  HLS.setOptions({ strictMode: true, silent: true })
  const master = HLS.parse(await text(masterUrl))
  if (!master.isMasterPlaylist) throw new Error('the master playlist is not one')
  const uris = new Map<string, 'video' | 'audio'>()
  for (const variant of master.variants) {
    uris.set(variant.uri, 'video')
    for (const audio of variant.audio) if (audio.uri) uris.set(audio.uri, 'audio')
  }
  return Promise.all([...uris].map(([uri, kind]) => joinRendition(new URL(uri, masterUrl), kind, dir)))
}

async function joinRendition(url: URL, kind: 'video' | 'audio', dir: string): Promise<Joined> {
  const playlist = HLS.parse(await text(url.href))
  if (playlist.isMasterPlaylist) throw new Error(`${url} is not a media playlist`)
  const name = url.pathname.split('/').at(-2) ?? ''
  const parts: Buffer[] = []
  for (const segment of playlist.segments) parts.push(await bytes(new URL(segment.uri, url)))
  const file = join(dir, `${name}.ts`)
  await writeFile(file, Buffer.concat(parts))
  return {
    name,
    kind,
    file,
    segments: playlist.segments.length,
    targetDuration: playlist.targetDuration,
    durations: playlist.segments.map((segment) => segment.duration),
    endList: playlist.endlist,
  }
}

async function text(url: string): Promise<string> {
  const response = await fetch(url)
  if (response.status !== 200) throw new Error(`${url} answered ${response.status}: ${await response.text()}`)
  return response.text()
}

async function bytes(url: URL): Promise<Buffer> {
  const redirect = await fetch(url, { redirect: 'manual' })
  if (redirect.status !== 302) throw new Error(`${url} answered ${redirect.status} instead of a redirect`)
  const location = redirect.headers.get('location') ?? ''
  const response = await fetch(location)
  if (response.status !== 200) throw new Error(`${location} answered ${response.status}`)
  return Buffer.from(await response.arrayBuffer())
}

/** Plays a playlist or a file to its end: how many pictures of the first rendition were shown, and any complaint. */
export async function play(input: string): Promise<{ frames: number; complaints: string }> {
  const demuxer = input.endsWith('.ts') ? ['-f', 'mpegts'] : []
  const args = ['-hide_banner', '-nostdin', '-v', 'error', '-stats', ...demuxer, '-i', input]
  const output = ['-map', '0', '-fps_mode', 'passthrough', '-f', 'null', '-']
  const { stderr } = await run('ffmpeg', [...args, ...output], { maxBuffer: 1 << 26 })
  const lines = stderr.split(/[\r\n]+/).filter((line) => line !== '')
  const isProgress = (line: string) => line.startsWith('frame=') || line.startsWith('size=')
  // A redirect leads to another host, which ffmpeg notes whenever it had hoped to use a connection again.
  const complaints = lines.filter((line) => !isProgress(line) && !line.includes('Cannot reuse HTTP connection'))
  const frames = Number([...stderr.matchAll(/frame=\s*(\d+)/g)].at(-1)?.[1] ?? 0)
  return { frames, complaints: complaints.join('\n') }
}

/** Shown frames of a file, in order: presentation time in ticks of 90 kHz. */
export async function framePts(file: string): Promise<number[]> {
  const [{ times }, unit] = await Promise.all([decodedTimes(file), timeBase(file)])
  return times.map((time) => Math.round(time * unit * 90_000))
}

/** Presentation times of sound packets, in ticks of 90 kHz. */
export async function soundPts(file: string): Promise<number[]> {
  const { stdout } = await run(
    'ffprobe',
    ['-v', 'error', '-f', 'mpegts', '-select_streams', 'a:0', '-show_entries', 'packet=pts', '-of', 'csv=p=0', file],
    { maxBuffer: 1 << 26 },
  )
  return stdout
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => Number.parseInt(line, 10))
}
