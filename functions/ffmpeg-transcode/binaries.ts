import { access, chmod, constants, copyFile, mkdtemp } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, isAbsolute, join } from 'node:path'
import type { Features } from './args.ts'

export interface BinaryConfig {
  /** `FFMPEG_PATH`: tried before anything else. */
  readonly ffmpegPath?: string | undefined
  /** `FFPROBE_PATH`. */
  readonly ffprobePath?: string | undefined
  /** The environment of ffprobe: search paths, no credentials. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Directory whose `node_modules` may hold the installer packages; a bundle has none beside itself. */
  readonly nodeModulesDir?: string | undefined
}

export interface Binaries {
  readonly ffmpeg: string
  readonly ffprobe: string
  /** First line of `ffmpeg -version`, for the log. */
  readonly version: string
  readonly features: Features
}

/** Runs a program to its end; the code is `null` when it crashed. Rejects when it cannot start. */
export type Capture = (program: string, args: readonly string[]) => Promise<{ output: string; code: number | null }>

/** Finds an ffmpeg and an ffprobe that run here and have what we need; rejects with what to install. */
export async function findBinaries(config: BinaryConfig, capture: Capture): Promise<Binaries> {
  const load = createRequire(join(config.nodeModulesDir ?? process.cwd(), 'resolve.js'))
  const refused: string[] = []
  const ffmpeg = await firstUsable(
    [
      () => config.ffmpegPath,
      () => textOf(load('ffmpeg-static')),
      () => 'ffmpeg',
      () => pathIn(load('@ffmpeg-installer/ffmpeg')),
    ],
    (program) => inspectFfmpeg(program, capture),
    refused,
  )
  const ffprobe = await firstUsable(
    [() => config.ffprobePath, () => 'ffprobe', () => pathIn(load('@ffprobe-installer/ffprobe'))],
    async (program) => ({ ffprobe: program, version: await outputOf(capture, program, ['-version']) }),
    refused,
  )
  if (ffmpeg && ffprobe) {
    const programs = [ffmpeg.ffmpeg, ffprobe.ffprobe]
    const resolve = await Promise.all(programs.map((program) => resolvesNames(program, capture)))
    const features = { ...ffmpeg.features, resolvesNames: !resolve.includes(false) }
    return { ...ffmpeg, features, ffprobe: ffprobe.ffprobe }
  }
  const missing = ffmpeg ? 'ffprobe' : 'ffmpeg'
  throw new Error(
    `No usable ${missing} was found. Install ffmpeg (apt-get install ffmpeg, brew install ffmpeg), or set FFMPEG_PATH ` +
      `and FFPROBE_PATH; it needs libx264, aac and the segment muxer. Tried: ${refused.join('; ') || 'nothing'}`,
  )
}

async function firstUsable<T>(
  candidates: readonly (() => string | undefined)[],
  inspect: (program: string) => Promise<T>,
  refused: string[],
): Promise<T | undefined> {
  for (const candidate of candidates) {
    const program = packageOr(candidate)
    if (!program) continue
    try {
      return await inspect(await runnable(program))
    } catch (error) {
      refused.push(`${program} (${error instanceof Error ? error.message.split('\n')[0] : String(error)})`)
    }
  }
  return undefined
}

/** A package that is not installed, or not for this platform, throws when it is loaded. */
function packageOr(candidate: () => string | undefined): string | undefined {
  try {
    return candidate()
  } catch {
    return undefined
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function pathIn(value: unknown): string | undefined {
  return typeof value === 'object' && value !== null && 'path' in value ? textOf(value.path) : undefined
}

/** Without install scripts a packaged binary lacks its run bit; where it may not be set, a copy gets it. */
async function runnable(program: string): Promise<string> {
  if (!isAbsolute(program)) return program
  try {
    await access(program, constants.X_OK)
    // Root passes that check for any file with one run bit; setting the rest costs nothing.
    return program
  } catch {
    return await makeRunnable(program)
  }
}

async function makeRunnable(program: string): Promise<string> {
  try {
    await chmod(program, 0o755)
    return program
  } catch {
    const copy = join(await mkdtemp(join(tmpdir(), 'ffmpeg-')), basename(program))
    await copyFile(program, copy)
    await chmod(copy, 0o755)
    return copy
  }
}

async function inspectFfmpeg(program: string, capture: Capture) {
  const [version, encoders, muxers, filters, help] = await Promise.all(
    ['-version', '-encoders', '-muxers', '-filters', '-h'].map((what) =>
      outputOf(capture, program, ['-hide_banner', what, ...(what === '-h' ? ['long'] : [])]),
    ),
  )
  const wanted = [
    ['libx264', encoders],
    ['aac', encoders],
    ['segment', muxers],
    ['mpegts', muxers],
  ] as const
  const missing = wanted.filter(([name, list]) => !lists(list, name)).map(([name]) => name)
  if (missing.length > 0) throw new Error(`it has no ${missing.join(', ')}`)
  const features = {
    fpsMode: /^-fps_mode\b/m.test(help ?? ''),
    toneMap: lists(filters, 'zscale') && lists(filters, 'tonemap'),
  }
  return { ffmpeg: program, version: (version ?? '').split('\n')[0] ?? '', features }
}

/**
 * Static builds carry another libc than the machine and crash when they look up a host name
 * (https://johnvansickle.com/ffmpeg/release-readme.txt); nothing listens on the port that is asked for.
 */
async function resolvesNames(program: string, capture: Capture): Promise<boolean> {
  const { code } = await capture(program, ['-v', 'quiet', '-i', 'http://localhost:9/'])
  return code !== null
}

async function outputOf(capture: Capture, program: string, args: readonly string[]): Promise<string> {
  const { output, code } = await capture(program, args)
  if (code !== 0) throw new Error(`${args.at(-1)} ended with ${code ?? 'a crash'}`)
  return output
}

function lists(table: string | undefined, name: string): boolean {
  return new RegExp(`^ *[A-Z.]+ +${name} `, 'm').test(table ?? '')
}
