import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { copyJob, jobArgs } from '../functions/ffmpeg-transcode/args.ts'
import type { PlannedRendition } from '../shared/plan.ts'
import type { Stage } from '../test/e2e/cloud.ts'
import { bench, serveFile } from '../test/media/support.ts'
import { cpuMsBelow, endedChildrenMs, interleave, median, type Row } from './measure.ts'

const run = promisify(execFile)
const CLIP_SECONDS = 24

/** What a video costs, from the notice that it is there to ready, beside plain ffmpeg doing the same encoding. */
export async function ladderRows(stage: Stage, rounds: number): Promise<Row[]> {
  const dir = await mkdtemp(join(tmpdir(), 'yunbo-bench-'))
  try {
    const file = await makeClip(dir, 'ladder.mp4', ['-g', '9999', '-keyint_min', '9999'], '1280x720')
    const firsts: number[] = []
    let renditions: readonly PlannedRendition[] = await planOf(file)
    renditions = renditions.filter((one) => one.kind === 'video')
    const result = await interleave(
      rounds,
      async () => {
        const cost = await costOfPipeline(stage, file)
        firsts.push(cost.firstMs / (cost.wholeMs / (CLIP_SECONDS / 4)))
        return cost.wholeMs
      },
      () => costOf('ffmpeg', plainLadder(file, renditions, dir)),
    )
    const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`
    return [
      {
        name: 'whole pipeline, notice to ready',
        baseline: 'CPU of plain ffmpeg, same ladder, one run',
        ratios: result.ratios,
        target: 1.1,
        sense: 'most',
        detail: `${seconds(result.subject)} of CPU against ${seconds(result.baseline)}, ${CLIP_SECONDS} s of 720p`,
      },
      {
        name: 'first segment playable',
        baseline: 'CPU of one segment of all renditions',
        ratios: firsts,
        target: 2,
        sense: 'most',
        detail: `${median(firsts).toFixed(1)} segments of work before everything had its first`,
      },
    ]
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

async function planOf(file: string): Promise<readonly PlannedRendition[]> {
  const source = await serveFile(file)
  try {
    const worker = bench(source)
    await worker.task('probe', 'probe')
    return worker.plan().renditions
  } finally {
    await source.close()
  }
}

/** Functions and what they start are below this process; the local services in it are not counted. */
async function costOfPipeline(stage: Stage, file: string): Promise<{ wholeMs: number; firstMs: number }> {
  const ticket = await stage.newUpload('ladder.mp4', (await readFile(file)).length)
  await stage.send(ticket, file)
  const before = await cpuMsBelow(process.pid)
  await stage.complete(ticket)
  const play = `${stage.local.cloud.gateway}/play/${ticket.playbackId}`
  while (!(await isPlayable(play))) await new Promise((resolve) => setTimeout(resolve, 20))
  const first = await cpuMsBelow(process.pid)
  await stage.local.idle()
  const whole = await cpuMsBelow(process.pid)
  const video = await stage.video(ticket.videoId)
  if (video.status !== 'ready') throw new Error(`the video ended as ${video.status}: ${video.error?.message}`)
  return { wholeMs: whole - before, firstMs: first - before }
}

async function isPlayable(play: string): Promise<boolean> {
  const answer = (await (await fetch(play)).json()) as { data?: { playable?: boolean } }
  return answer.data?.playable === true
}

/** The same rungs with the same settings in one command, as anybody would write it. */
function plainLadder(file: string, renditions: readonly PlannedRendition[], dir: string): string[] {
  const labels = renditions.map((_, at) => `[s${at}]`).join('')
  const scales = renditions.map((one, at) => `[s${at}]scale=${one.width}:${one.height}[v${at}]`)
  const outputs = renditions.flatMap((one, at) => {
    const encoder = one.encoder?.codec === 'h264' ? one.encoder : undefined
    const rates = [
      '-crf',
      `${encoder?.crf}`,
      '-maxrate',
      `${encoder?.maxrateKbps}k`,
      '-bufsize',
      `${encoder?.bufsizeKbps}k`,
    ]
    return [
      ...['-map', `[v${at}]`, '-c:v', 'libx264', '-preset', `${encoder?.preset}`, ...rates],
      ...['-threads', `${encoder?.threads}`, '-g', '120', '-keyint_min', '120', '-sc_threshold', '0'],
      ...['-f', 'hls', '-hls_time', '4', '-hls_playlist_type', 'vod', join(dir, `plain-${at}.m3u8`)],
    ]
  })
  const audio = ['-map', '0:a', '-c:a', 'aac', '-b:a', '128k', '-f', 'hls', '-hls_time', '4', join(dir, 'plain-a.m3u8')]
  const filter = [`[0:v]split=${renditions.length}${labels}`, ...scales].join(';')
  return ['-nostdin', '-v', 'error', '-y', '-i', file, '-filter_complex', filter, ...outputs, ...audio]
}

/** Copying a source that fits: our command beside the plain one, over the same connection; and beside `cp`. */
export async function copyRow(rounds: number): Promise<Row> {
  const dir = await mkdtemp(join(tmpdir(), 'yunbo-bench-'))
  const file = await makeClip(
    dir,
    'copy.mp4',
    ['-g', '60', '-keyint_min', '60', '-b:v', '4M', '-maxrate', '4.5M', '-bufsize', '4M'],
    '1920x1080',
  )
  const source = await serveFile(file)
  try {
    const worker = bench(source)
    await worker.task('probe', 'probe')
    const plan = worker.plan()
    const task = plan.tasks.find((one) => one.kind === 'copy')
    if (!task) throw new Error(`the clip is not copied: ${plan.reason}`)
    for (const name of task.renditions) await mkdir(join(dir, name))
    const ours = jobArgs(copyJob({ url: source.url, etag: source.served.etag }, plan, task, dir))
    const sameFile = ['-headers', `If-Match: "${source.served.etag}"\r\n`]
    const plain = [
      '-nostdin',
      '-v',
      'error',
      '-y',
      ...sameFile,
      '-i',
      source.url,
      '-map',
      '0:v',
      '-c',
      'copy',
      '-f',
      'hls',
    ]
    const plainAll = [...plain, '-hls_time', '4', '-hls_playlist_type', 'vod', join(dir, 'plain.m3u8')]
    const several = (args: string[]) => async () => {
      let total = 0
      for (let time = 0; time < 5; time += 1) total += await costOf('ffmpeg', args)
      return total / 5
    }
    const result = await interleave(rounds, several(ours), several(plainAll))
    const startedAt = performance.now()
    await copyFile(file, join(dir, 'copy-2.mp4'))
    const cp = performance.now() - startedAt
    const detail = `${result.subject.toFixed(0)} ms of CPU against ${result.baseline.toFixed(0)}; cp takes ${cp.toFixed(0)} ms`
    const shared = { name: 'copy route', baseline: 'CPU of plain ffmpeg -c copy to HLS' }
    return { ...shared, ratios: result.ratios, target: 1.2, sense: 'most', detail }
  } finally {
    await source.close()
    await rm(dir, { recursive: true, force: true })
  }
}

/** Milliseconds of CPU that a program took. */
async function costOf(program: string, args: readonly string[]): Promise<number> {
  const before = await endedChildrenMs()
  await run(program, args)
  return (await endedChildrenMs()) - before
}

async function makeClip(dir: string, name: string, video: readonly string[], size: string): Promise<string> {
  const path = join(dir, name)
  const pictures = `testsrc2=s=${size}:r=30:d=${CLIP_SECONDS}`
  const inputs = ['-f', 'lavfi', '-i', pictures, '-f', 'lavfi', '-i', `sine=440:r=48000:d=${CLIP_SECONDS}`]
  const encode = ['-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p', '-sc_threshold', '0', ...video]
  // Stereo, as films are: sound is encoded in stereo, whatever the source has.
  const output = ['-c:a', 'aac', '-ac', '2', '-movflags', '+faststart', path]
  await run('ffmpeg', ['-nostdin', '-v', 'error', '-y', ...inputs, ...encode, ...output])
  return path
}
