import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import OSS from 'ali-oss'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { mtsSdk } from '../local/mps/open.ts'
import { openTarget, uniqueName } from './target.ts'

/*
 * What MPS promises of jobs; each test fails where the promise is broken. The address above a test is where the promise
 * is made. Transcoding costs money in the real cloud: there only what refuses is run.
 */
const target = await openTarget()
const { pipelineId, ...endpoint } = target.mps
const client = new mtsSdk.default({ ...target.keys, ...endpoint } as ConstructorParameters<typeof mtsSdk.default>[0])
const bucket = uniqueName('contract')
const location = `oss-${target.region}`
const input = { Bucket: bucket, Location: location, Object: 'in%20put.mp4' }
const oss = new OSS({
  ...target.keys,
  endpoint: target.oss.endpoint,
  bucket,
  region: location,
  sldEnable: !target.isRemote,
} as OSS.Options)

beforeAll(async () => {
  if (target.isRemote) return
  await oss.putBucket(bucket)
  await oss.put('in put.mp4', await clip())
})
afterAll(() => target.close())

/** Two seconds with sound. */
async function clip(): Promise<Buffer> {
  const dir = await mkdtemp(join(tmpdir(), 'mps-contract-'))
  const path = join(dir, 'clip.mp4')
  const sources = ['-f', 'lavfi', '-i', 'testsrc2=s=320x180:r=25:d=2', '-f', 'lavfi', '-i', 'sine=440:d=2']
  const codecs = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-c:a', 'aac']
  await promisify(execFile)('ffmpeg', ['-nostdin', '-v', 'error', ...sources, ...codecs, path])
  const bytes = await readFile(path)
  await rm(dir, { recursive: true })
  return bytes
}

function submit(outputs: readonly object[], more: object = {}) {
  const request = {
    input: JSON.stringify(input),
    outputBucket: bucket,
    outputLocation: location,
    outputs: JSON.stringify(outputs),
    pipelineId,
    ...more,
  }
  return client.submitJobs(new mtsSdk.SubmitJobsRequest(request))
}

const PRESET = 'S00000001-200010'
const HLS_PRESET = 'S00000001-100010'

// https://help.aliyun.com/zh/mps/developer-reference/api-mts-2014-06-18-submitjobs
describe('jobs', () => {
  test.skipIf(target.isRemote)(
    'give each output an answer of its own, and one that fails spoils no other',
    async () => {
      const outputs = [
        { OutputObject: 'good.mp4', TemplateId: PRESET },
        { OutputObject: 'bad.mp4', TemplateId: 'no-such-template' },
      ]
      const { body, statusCode } = await submit(outputs)
      const results = body?.jobResultList?.jobResult ?? []
      expect([statusCode, results.map(({ success }) => success)]).toEqual([200, [true, false]])
      expect(results[1]?.code).toBeTruthy()
      const job = await finished(results[0]?.job?.jobId ?? '')
      expect(job).toMatchObject({ state: 'TranscodeSuccess', output: { outputFile: { object: 'good.mp4' } } })
      expect(Number(job.output?.properties?.duration)).toBeCloseTo(2, 0)
      expect((await oss.head('good.mp4')).status).toBe(200)
    },
  )

  // The list is named as it was asked for, with .m3u8 behind it, and the segments -00001.ts and so on.
  test.skipIf(target.isRemote)('cut a stream into a list and numbered pieces', async () => {
    const { body } = await submit([{ OutputObject: 'hls/list', TemplateId: HLS_PRESET }])
    const job = await finished(body?.jobResultList?.jobResult?.[0]?.job?.jobId ?? '')
    expect(job.state).toBe('TranscodeSuccess')
    const list = String((await oss.get('hls/list.m3u8')).content)
    expect(list).toContain('list-00001.ts')
    expect((await oss.head('hls/list-00001.ts')).status).toBe(200)
  })

  test.skipIf(target.isRemote)('without a source fail, and say why', async () => {
    const missing = JSON.stringify({ ...input, Object: 'nothing.mp4' })
    const { body } = await submit([{ OutputObject: 'x.mp4', TemplateId: PRESET }], { input: missing })
    const job = await finished(body?.jobResultList?.jobResult?.[0]?.job?.jobId ?? '')
    expect(job.state).toBe('TranscodeFail')
    expect(job.code).toBeTruthy()
  })

  test.each([
    ['without a pipeline that is there', { pipelineId: 'f'.repeat(32) }],
    ['with an input that is no JSON', { input: 'nothing' }],
    ['with outputs that are no JSON', { outputs: 'nothing' }],
  ])('%s are refused', async (_name, change) => {
    const request = submit([{ OutputObject: 'x.mp4', TemplateId: PRESET }], change)
    await expect(request).rejects.toMatchObject({
      statusCode: expect.toSatisfy((status) => status >= 400 && status < 500),
    })
  })

  // https://help.aliyun.com/zh/mps/developer-reference/api-mts-2014-06-18-queryjoblist
  test('that nobody submitted are listed as such', async () => {
    const jobId = 'f'.repeat(32)
    const { body } = await client.queryJobList(new mtsSdk.QueryJobListRequest({ jobIds: jobId }))
    expect(body?.jobList?.job ?? []).toEqual([])
    expect(body?.nonExistJobIds?.string).toEqual([jobId])
  })

  async function finished(jobId: string) {
    return vi.waitFor(
      async () => {
        const { body } = await client.queryJobList(new mtsSdk.QueryJobListRequest({ jobIds: jobId }))
        const job = body?.jobList?.job?.[0]
        if (!job?.state || job.state === 'Submitted' || job.state === 'Transcoding') throw new Error('not yet')
        return job
      },
      { timeout: 50_000, interval: 100 },
    )
  }
})
