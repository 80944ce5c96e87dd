import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Api, signIn, type Video } from './api.ts'
import { makeClip } from './clip.ts'
import { DemoError, parseOptions, readCloud, usage } from './options.ts'
import { type Progress, startProgress } from './progress.ts'
import { uploadFile } from './upload.ts'

const pollMs = 500

try {
  await demo(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof DemoError)) throw error
  console.error(error.message)
  process.exitCode = 1
}

/** From a file to an address where it plays. */
async function demo(args: readonly string[]): Promise<void> {
  const { file, dataDir, help } = parseOptions(args)
  if (help) return console.log(usage)
  const cloud = await readCloud(dataDir)
  const api = await signIn(cloud.gateway, cloud.user)
  const { playbackId, videoId } = file === undefined ? await uploadClip(api) : await upload(api, file)
  const video = await processed(api, videoId)
  console.log(`\n${summary(video)}
  watch     ${new URL(`/watch/${playbackId}`, cloud.gateway)}
  playlist  ${await api.playlistUrl(playbackId)}`)
}

async function uploadClip(api: Api) {
  const folder = await mkdtemp(join(tmpdir(), 'yunbo-demo-'))
  try {
    console.log('Making a clip …')
    return await upload(api, await makeClip(folder))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function upload(api: Api, file: string) {
  return await shown('Uploading', (progress) => uploadFile(api, file, progress))
}

async function processed(api: Api, videoId: string): Promise<Video> {
  return await shown('Processing', async (progress) => {
    for (;;) {
      const video = await api.video(videoId)
      if (video.status === 'errored') throw new DemoError(`The video could not be processed: ${reasonOf(video)}`)
      progress.report(video.progress / 100)
      if (video.status === 'ready') return video
      await new Promise((resolve) => setTimeout(resolve, pollMs))
    }
  })
}

/** A bar is taken off the screen before anything else is printed, also when the step fails. */
async function shown<Result>(label: string, step: (progress: Progress) => Promise<Result>): Promise<Result> {
  const progress = startProgress(label)
  try {
    const result = await step(progress)
    progress.report(1)
    return result
  } finally {
    progress.done()
  }
}

function reasonOf({ error }: Video): string {
  return error ? `${error.message} (${error.code})` : 'no reason was given'
}

function summary({ durationMs, engine, renditions }: Video): string {
  const names = renditions.map(({ name }) => name).join(', ')
  const made = engine ? `\n  engine    ${engine.name}: ${engine.reason}` : ''
  return `Ready: ${(durationMs / 1000).toFixed(1)} s as ${names}${made}`
}
