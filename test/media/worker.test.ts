import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { Deps } from '../../functions/ffmpeg-transcode/on-task.ts'
import { scanSegment } from '../../functions/ffmpeg-transcode/ts.ts'
import { verifySegment } from '../../functions/ffmpeg-transcode/verify.ts'
import { CLIP_DIR, clipNamed } from './clips.ts'
import { packetTimes } from './rare.ts'
import { type Bench, bench, serveFile } from './support.ts'

async function open(clip: string, changes: Partial<Deps> = {}) {
  await mkdir(CLIP_DIR, { recursive: true })
  const source = await serveFile(await clipNamed(clip).make(CLIP_DIR))
  onTestFinished(source.close)
  return { source, worker: bench(source, changes) }
}

async function workDirs(): Promise<string[]> {
  return (await readdir(tmpdir())).filter((name) => /^yunbo-.{6}$/.test(name))
}

test('segments are stored and listed while ffmpeg is still at work', async () => {
  const seen: string[] = []
  let running = true
  const { worker } = await open('long-gop')
  await worker.task('probe', 'probe')
  const { transcode } = worker.deps.tools
  const watched: Bench['deps']['tools'] = {
    ...worker.deps.tools,
    async transcode(job, options) {
      // The source is read as fast as it plays, so that the first segment is closed long before the last.
      const run = await transcode({ ...job, inputOptions: ['-re', ...job.inputOptions] }, options)
      run.done.finally(() => {
        running = false
      })
      return run
    },
  }
  Object.assign(worker.deps, {
    tools: watched,
    segments: {
      publish: async (
        _media: string,
        _plan: string,
        runs: readonly { rendition: string; sizesBytes: readonly number[] }[],
      ) => {
        seen.push(...runs.map((run) => `${run.rendition} ${run.sizesBytes.length} ${running ? 'during' : 'after'}`))
      },
    },
  })
  await worker.task('video', 'v0')
  expect(worker.errors).toEqual([])
  expect(seen[0]).toBe('240p 1 during')
  expect(seen.at(-1)).toBe('240p 3 after')
})

test('a source that is replaced between probe and work ends as source_changed, and leaves nothing behind', async () => {
  const before = await workDirs()
  const { source, worker } = await open('long-gop')
  await worker.task('probe', 'probe')
  source.served.etag = 'FEDCBA9876543210'
  for (const one of worker.plan().tasks) await worker.task(one.kind, one.taskId)
  expect(worker.errors.map((error) => error.code)).toEqual(['source_changed', 'source_changed'])
  expect(worker.objects.size).toBe(0)
  expect((await workDirs()).filter((name) => !before.includes(name))).toEqual([])
})

test('a source that is gone ends as source_missing', async () => {
  const { source, worker } = await open('plain')
  Object.assign(worker.deps, { sources: { ...worker.deps.sources, head: async () => undefined } })
  source.served.etag = 'gone'
  await worker.task('probe', 'probe')
  expect(worker.errors).toMatchObject([{ code: 'source_missing', retryable: false }])
})

test('a renewal that is refused kills ffmpeg and records nothing', async () => {
  vi.useFakeTimers({ toFake: ['setInterval'] })
  onTestFinished(() => void vi.useRealTimers())
  const { worker } = await open('long-gop')
  await worker.task('probe', 'probe')
  const notices: string[] = []
  const { transcode } = worker.deps.tools
  let ended: unknown
  Object.assign(worker.deps, {
    notify: async (mediaId: string) => void notices.push(mediaId),
    tasks: { ...worker.deps.tasks, renew: async () => false },
    tools: {
      ...worker.deps.tools,
      async transcode(...call: Parameters<typeof transcode>) {
        const run = await transcode(...call)
        vi.advanceTimersByTime(20_000)
        ended = await run.done.catch((error: unknown) => error)
        return run
      },
    },
  })
  await worker.task('video', 'v0')
  expect(ended).toMatchObject({ name: 'ToolError', message: 'the lease is lost' })
  expect(worker.errors).toEqual([])
  expect(notices).toEqual([])
})

test('a refused claim does nothing at all', async () => {
  const { worker } = await open('plain')
  Object.assign(worker.deps, { tasks: { ...worker.deps.tasks, claim: async () => false } })
  await worker.task('probe', 'probe')
  expect(() => worker.plan()).toThrow()
  expect(worker.errors).toEqual([])
})

test('a second attempt keeps what the first one stored and lists its sizes', async () => {
  const { worker } = await open('long-gop')
  await worker.all()
  const [key, bytes] = [...worker.objects].find(([name]) => name.endsWith('/240p/0.ts')) ?? []
  if (!key || !bytes) throw new Error('segment 0 was not stored')
  const twin = Buffer.concat([bytes, Buffer.alloc(188)])
  worker.objects.set(key, twin)
  worker.listings.length = 0
  await worker.task('video', 'v0')
  expect(worker.objects.get(key)).toBe(twin)
  expect(worker.listings.at(-1)?.find((run) => run.rendition === '240p')?.sizesBytes[0]).toBe(twin.length)
})

test('work that takes longer than it may is stopped and says so', async () => {
  const { worker } = await open('plain', { deadlineMs: 1 })
  await worker.task('probe', 'probe')
  expect(worker.errors).toMatchObject([
    { code: 'transcode_failed', retryable: true, message: 'The work took longer than a worker may run.' },
  ])
})

test('damage in the middle of a file is told from a failure of ours', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'damaged-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  // Only decoding shows this: the packets are whole.
  const bytes = await readFile(await clipNamed('hevc').make(CLIP_DIR))
  for (let at = 0; at < 400; at += 1) bytes[Math.floor(bytes.length / 2) + at] = (at * 37) % 256
  const path = join(dir, 'damaged.mp4')
  await writeFile(path, bytes)
  const source = await serveFile(path)
  onTestFinished(source.close)
  const worker = bench(source)
  await worker.all()
  expect(worker.errors).toMatchObject([{ code: 'source_damaged', retryable: false }])
})

test('damage that reading shows is planned for: what can be decoded is what is made', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'damaged-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  const bytes = await readFile(await clipNamed('long-gop').make(CLIP_DIR))
  const middle = bytes.indexOf('mdat') + 6000
  bytes.fill(0xff, middle, middle + 3000)
  const path = join(dir, 'damaged.mp4')
  await writeFile(path, bytes)
  const source = await serveFile(path)
  onTestFinished(source.close)
  const worker = bench(source)
  await worker.all()
  expect(worker.errors).toEqual([])
  expect(worker.plan().reason).toBe('Encoded, because parts of it are damaged.')
  expect(worker.info().video.frames).toBeLessThan(150)
})

test('a connection that is dropped once in the middle is taken up again', { timeout: 30_000 }, async () => {
  const { source, worker } = await open('long-gop')
  source.served.drops = 1
  await worker.task('probe', 'probe')
  expect(source.served.drops).toBe(0)
  for (const one of worker.plan().tasks) {
    source.served.drops = 1
    await worker.task(one.kind, one.taskId)
    expect(source.served.drops).toBe(0)
  }
  expect(worker.errors).toEqual([])
  expect(worker.objects.size).toBe(6)
})

test('sound that was cut off by a lost connection is not continued with silence', async () => {
  const { source, worker } = await open('long-gop')
  await worker.task('probe', 'probe')
  // Gives up at once instead of after ten seconds.
  const hasty = (words: readonly string[]) => words.map((word, at) => (words[at - 1] === '-reconnect' ? '0' : word))
  const { transcode } = worker.deps.tools
  const tools: Bench['deps']['tools'] = {
    ...worker.deps.tools,
    transcode: (job, options) => transcode({ ...job, ...(job.feed ? { feed: hasty(job.feed) } : {}) }, options),
  }
  Object.assign(worker.deps, { tools })
  source.served.drops = Number.POSITIVE_INFINITY
  await worker.task('audio', 'audio')
  expect(worker.errors).toMatchObject([{ code: 'transcode_failed', retryable: true }])
  const before = new Map(worker.objects)
  source.served.drops = 0
  await worker.task('audio', 'audio')
  expect(worker.errors).toHaveLength(1)
  const whole = bench(source)
  await whole.task('probe', 'probe')
  await whole.task('audio', 'audio')
  // What was stored before the loss is what a whole run stores.
  for (const [key, bytes] of before) expect(bytes).toEqual(whole.objects.get(key))
  expect(worker.segments('audio')).toHaveLength(3)
})

test('the first picture is decoded when it is shown, so that players begin at zero', async () => {
  const { worker } = await open('b-frames-5s')
  await worker.all()
  const dir = await mkdtemp(join(tmpdir(), 'first-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  for (const { name } of worker.plan().renditions.filter((one) => one.kind === 'video')) {
    await writeFile(join(dir, `${name}.ts`), worker.joined(name))
    const times = await packetTimes(join(dir, `${name}.ts`))
    expect(times[0]).toEqual({ pts: 900_000, dts: 900_000 })
    for (const [at, { pts, dts }] of times.entries()) {
      expect(dts).toBeLessThanOrEqual(pts)
      expect(dts).toBeGreaterThan(times[at - 1]?.dts ?? 0)
    }
  }
})

test('a segment that is not what was planned is refused', async () => {
  const { worker } = await open('long-gop')
  await worker.all()
  const plan = worker.plan()
  const at = (rendition: string, index: number) => {
    const found = [...worker.objects].find(([key]) => key.endsWith(`/${rendition}/${index}.ts`))?.[1]
    if (!found) throw new Error(`no segment ${index}`)
    return found
  }
  const refusal = (rendition: string, index: number, bytes: Uint8Array) => {
    try {
      verifySegment(bytes, plan, rendition, index)
      return 'accepted'
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }
  const first = at('240p', 0)
  expect(scanSegment(first).video).toMatchObject({ units: 60, firstPts: 900_000, startsClean: true })
  expect(refusal('240p', 0, first)).toBe('accepted')
  expect(refusal('240p', 1, first)).toBe('Segment 1 of 240p begins at 900000 instead of 1260000.')
  expect(refusal('240p', 0, first.subarray(0, 188 * 30))).toMatch(/holds \d+ frames instead of 60/)
  expect(refusal('240p', 0, first.subarray(188 * 4))).toContain('does not begin with')
  expect(refusal('240p', 0, first.subarray(1))).toContain('does not begin with its program tables')
  expect(refusal('240p', 0, at('audio', 0))).toContain('holds no video')
  expect(refusal('audio', 0, at('audio', 1))).toContain('frames instead of')
  expect(refusal('240p', 0, new Uint8Array())).toContain('program tables')
})
