import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { startMps } from '../../../local/mps/index.ts'
import { mnsClient } from '../mns/open.ts'
import { BUCKET, clip, mtsSdk, type OpenMps, openMps, probe, tools } from './open.ts'

let mps: OpenMps
let film: Buffer

const LD = 'S00000001-100010'
const MP4 = 'S00000001-200010'
const fast = { Preset: 'veryfast', Width: '128' }

beforeAll(async () => {
  film = await clip(3)
  mps = await openMps()
  await mps.oss.put('in/film one.mp4', film)
})
afterAll(() => mps.close())

const INPUT = { Bucket: BUCKET, Location: 'oss-cn-hangzhou', Object: encodeURIComponent('in/film one.mp4') }

function submit(outputs: readonly object[] | string, parameters: object = {}, to = mps) {
  return to.client.submitJobs(
    new mtsSdk.SubmitJobsRequest({
      input: JSON.stringify(INPUT),
      outputBucket: BUCKET,
      outputLocation: 'oss-cn-hangzhou',
      outputs: typeof outputs === 'string' ? outputs : JSON.stringify(outputs),
      pipelineId: to.service.pipelineId,
      ...parameters,
    }),
  )
}

async function submitted(outputs: readonly object[], parameters: object = {}, to = mps) {
  const { body } = await submit(outputs, parameters, to)
  return body?.jobResultList?.jobResult ?? []
}

async function job(id: string | undefined, from = mps) {
  const { body } = await from.client.queryJobList(new mtsSdk.QueryJobListRequest({ jobIds: id ?? '' }))
  return body?.jobList?.job?.[0]
}

describe('a transcoding job', () => {
  test('makes a playlist with the documented names, and says what it has made', async () => {
    const [result] = await submitted([
      {
        OutputObject: encodeURIComponent('out/hls/ld'),
        TemplateId: LD,
        Video: JSON.stringify(fast),
        MuxConfig: JSON.stringify({ Segment: { Duration: '2' } }),
        UserData: 'video-1',
        Priority: '9',
      },
    ])
    expect(result).toMatchObject({ success: true, code: '' })
    expect(result?.job).toMatchObject({ state: 'Submitted', percent: 0, pipelineId: mps.service.pipelineId })
    expect(result?.job?.jobId).toMatch(/^[0-9a-f]{32}$/)
    await mps.idle()
    const done = await job(result?.job?.jobId)
    expect(done).toMatchObject({ state: 'TranscodeSuccess', percent: 100, code: '' })
    expect(done?.input?.object).toBe('in%2Ffilm%20one.mp4')
    expect(done?.output).toMatchObject({
      outputFile: { bucket: BUCKET, location: 'oss-cn-hangzhou', object: 'out%2Fhls%2Fld.m3u8' },
      templateId: LD,
      userData: 'video-1',
      priority: '9',
      container: { format: 'm3u8' },
      video: { codec: 'H.264', width: '128', bitrate: '400' },
      muxConfig: { segment: { duration: '2' } },
      properties: { width: '128', height: '96', fps: '10' },
    })
    expect(Number(done?.output?.properties?.duration)).toBeCloseTo(3, 0)
    expect(done?.output?.properties?.streams?.videoStreamList?.videoStream?.[0]?.codecName).toBe('h264')
    expect(await mps.keys('out/hls/')).toEqual(['out/hls/ld-00001.ts', 'out/hls/ld-00002.ts', 'out/hls/ld.m3u8'])
    const playlist = await mps.text('out/hls/ld.m3u8')
    expect(playlist.match(/^[^#].*$/gm)).toEqual(['ld-00001.ts', 'ld-00002.ts'])
    expect(playlist).toContain('#EXT-X-ENDLIST')
  })

  test('writes one file where the container is one', async () => {
    const [result] = await submitted([
      { OutputObject: 'one.mp4', TemplateId: MP4, Video: fast, Audio: { Remove: 'true' } },
    ])
    await mps.idle()
    expect((await job(result?.job?.jobId))?.state).toBe('TranscodeSuccess')
    const { streams } = await probe((await mps.oss.get('one.mp4')).content as Buffer, 'one.mp4')
    expect(streams.map(({ codec_name, width }) => [codec_name, width])).toEqual([['h264', 128]])
  })

  test.each([
    ['copies the streams', { TemplateId: 'S00000001-200000' }, 'mp4', ['h264:160x120', 'aac']],
    ['takes the sound alone', { TemplateId: 'S00000001-300010' }, 'mp3', ['mp3']],
    [
      'turns the picture',
      { TemplateId: MP4, Rotate: '90', Video: { ...fast, Width: '160' } },
      'mp4',
      ['h264:120x160', 'aac'],
    ],
    [
      'fills a frame',
      { TemplateId: MP4, Video: { ...fast, Width: '200', Height: '200' }, TransConfig: { AdjDarMethod: 'pad' } },
      'mp4',
      ['h264:200x200', 'aac'],
    ],
    [
      'does not blow a picture up',
      { TemplateId: 'S00000001-200030', TransConfig: { IsCheckReso: 'true' } },
      'mp4',
      ['h264:160x120', 'aac'],
    ],
    [
      'writes HEVC',
      { TemplateId: MP4, Video: { ...fast, Codec: 'H.265', Preset: 'veryfast' } },
      'mp4',
      ['hevc:128x96', 'aac'],
    ],
    ['writes flv', { TemplateId: 'S00000001-000010', Video: fast }, 'flv', ['h264:128x96', 'aac']],
    [
      'makes a moving picture',
      { TemplateId: MP4, Container: { Format: 'gif' }, Video: { Codec: 'GIF', Width: '128', Fps: '5' } },
      'gif',
      ['gif:128x96'],
    ],
  ])('%s', async (_what, output, ending, wanted) => {
    const name = `kinds/${wanted.join('-').replaceAll(':', '-')}-${_what.length}.${ending}`
    const [result] = await submitted([{ OutputObject: encodeURIComponent(name), ...output }])
    await mps.idle()
    expect(await job(result?.job?.jobId)).toMatchObject({ state: 'TranscodeSuccess' })
    const { streams } = await probe((await mps.oss.get(name)).content as Buffer, `x.${ending}`)
    const seen = streams.map(({ codec_name, width, height }) =>
      width ? `${codec_name}:${width}x${height}` : codec_name,
    )
    expect(seen).toEqual(wanted)
  })

  test('cuts what is asked for', async () => {
    const Clip = { TimeSpan: { Seek: '00:00:01', Duration: '1' } }
    const [result] = await submitted([{ OutputObject: 'clip.mp4', TemplateId: MP4, Video: fast, Clip }])
    await mps.idle()
    expect(Number((await job(result?.job?.jobId))?.output?.properties?.duration)).toBeCloseTo(1, 0)
  })

  test('fills in what a name leaves open', async () => {
    const OutputObject = encodeURIComponent('{ObjectPrefix}{FileName}-{ExtName}-{DestMd5}.mp4')
    await submitted([{ OutputObject, TemplateId: 'S00000001-200000' }])
    await mps.idle()
    const [found] = (await mps.keys('in/film one-mp4-')).slice(-1)
    expect(found).toMatch(/^in\/film one-mp4-[0-9a-f]{32}\.mp4$/)
  })

  test('encrypts segments with the key that it is given, which the playlist names', async () => {
    const Encryption = {
      Type: 'hls-aes-128',
      Key: Buffer.from('encryptionkey123').toString('base64'),
      KeyType: 'Base64',
      KeyUri: Buffer.from('http://example.com/hls.key').toString('base64'),
    }
    const [result] = await submitted([{ OutputObject: 'sealed', TemplateId: LD, Video: fast, Encryption }])
    await mps.idle()
    expect(await job(result?.job?.jobId)).toMatchObject({ state: 'TranscodeSuccess' })
    expect(await mps.text('sealed.m3u8')).toContain('#EXT-X-KEY:METHOD=AES-128,URI="http://example.com/hls.key"')
    const segment = (await mps.oss.get('sealed-00001.ts')).content as Buffer
    // Every packet of a transport stream begins with 0x47; under the cipher nothing does for long.
    expect([0, 188, 376, 564].every((at) => segment[at] === 0x47)).toBe(false)
  })

  test.each([
    ['has no source', { Object: 'nowhere.mp4' }, 'InvalidParameter.ResourceNotFound'],
    ['has a source that is no film', { Object: 'rubbish.mp4' }, 'InvalidParameter.ResourceContentBad'],
    ['has a source in a bucket that is not there', { Bucket: 'no-such-bucket' }, 'InvalidParameter.ResourceNotFound'],
  ])('that %s fails, and says why', async (_what, change, code) => {
    await mps.oss.put('rubbish.mp4', Buffer.from('this is no film'))
    const input = JSON.stringify({ ...INPUT, ...change })
    const [result] = await submitted([{ OutputObject: 'never.mp4', TemplateId: MP4 }], { input })
    expect(result?.success).toBe(true)
    await mps.idle()
    expect(await job(result?.job?.jobId)).toMatchObject({ state: 'TranscodeFail', code, percent: 0 })
    expect(await mps.keys('never')).toEqual([])
  })
})

describe('outputs of one request', () => {
  test('succeed and fail each for itself', async () => {
    const good = { OutputObject: 'half.mp4', TemplateId: 'S00000001-200000' }
    const results = await submitted([
      good,
      { ...good, TemplateId: 'f'.repeat(32) },
      { ...good, Encryption: { Type: 'hls-aes-128', Key: 'eA==', KeyUri: 'eA==' } },
      { ...good, WaterMarks: [{ InputFile: INPUT }] },
      { ...good, TemplateId: 'S00000000-200030' },
      { ...good, Video: { Width: '64' } },
      { TemplateId: MP4 },
      { ...good, OutputObject: 'x'.repeat(1024) },
    ])
    expect(results.map(({ success, code }) => (success ? 'yes' : code))).toEqual([
      'yes',
      'InvalidParameter.TemplateNotFound',
      'DataEncryption.ContainerFormatNotSupported',
      'InvalidParameter.NotSupported',
      'InvalidParameter.TemplateNotSupported',
      'InvalidParameter.OutOfRange',
      'InvalidParameter.NullValue',
      'InvalidParameter.ObjectKeyInvalid',
    ])
    expect(results[1]?.message).toBe(`The Template operated "${'f'.repeat(32)}" cannot be found.`)
    expect(results.map((result) => result.job !== undefined)).toEqual([true, ...Array(7).fill(false)])
    await mps.idle()
  })

  test.each([
    ['no input', { input: undefined }, 'InvalidParameter.NullValue'],
    ['an input that is no JSON', { input: 'in.mp4' }, 'InvalidParameter.JsonObjectFormatInvalid'],
    ['an input without a bucket', { input: '{"Object":"a"}' }, 'InvalidParameter.NullValue'],
    [
      'an input elsewhere',
      { input: JSON.stringify({ ...INPUT, Location: 'oss-cn-beijing' }) },
      'InvalidParameter.LocationInvalid',
    ],
    [
      'an input that is no key',
      { input: JSON.stringify({ ...INPUT, Object: '%zz' }) },
      'InvalidParameter.ObjectKeyInvalid',
    ],
    ['an output bucket that is no name', { outputBucket: 'UPPER' }, 'InvalidParameter.BucketNameInvalid'],
    ['outputs that are no list', { outputs: '{}' }, 'InvalidParameter.JsonArrayFormatInvalid'],
    ['no outputs', { outputs: '[]' }, 'InvalidParameter.EmptyValue'],
    [
      '31 outputs',
      { outputs: JSON.stringify(Array(31).fill({ OutputObject: 'a', TemplateId: MP4 })) },
      'InvalidParameter.ListSizeExceed',
    ],
    ['a pipeline that is not there', { pipelineId: '0'.repeat(32) }, 'InvalidParameter.ResourceNotFound'],
  ])('are refused as a whole with %s', async (_what, parameters, code) => {
    await expect(submit([{ OutputObject: 'a.mp4', TemplateId: MP4 }], parameters)).rejects.toMatchObject({ code })
  })
})

describe('a queue of jobs', () => {
  test('stands still while its pipeline is paused, lets go of jobs that are taken back, and runs the urgent first', async () => {
    const own = await openMps({ concurrency: 1 })
    onTestFinished(() => own.close())
    await own.oss.put('in/film one.mp4', film)
    const pipelineId = own.service.pipelineId
    const setState = (state: string) =>
      own.client.updatePipeline(new mtsSdk.UpdatePipelineRequest({ pipelineId, name: 'p', state }))
    await setState('Paused')
    const copy = { TemplateId: 'S00000001-200000' }
    const results = await submitted(
      [
        { ...copy, OutputObject: 'first.mp4', Priority: '1' },
        { ...copy, OutputObject: 'second.mp4', Priority: '10' },
        { ...copy, OutputObject: 'third.mp4' },
      ],
      {},
      own,
    )
    const ids = results.map((result) => result.job?.jobId ?? '')
    await own.idle()
    expect(await own.keys('')).toEqual(['in/film one.mp4'])
    const cancel = (jobId = '') => own.client.cancelJob(new mtsSdk.CancelJobRequest({ jobId }))
    expect((await cancel(ids[2])).body?.jobId).toBe(ids[2])
    await setState('Active')
    await own.idle()
    const [first, second, third] = await Promise.all(ids.map((id) => job(id, own)))
    expect([first?.state, second?.state, third?.state]).toEqual([
      'TranscodeSuccess',
      'TranscodeSuccess',
      'TranscodeCancelled',
    ])
    const { objects } = await own.oss.listV2({ prefix: '', 'max-keys': '10' }, {})
    const at = (key: string) => Date.parse(objects.find(({ name }) => name === key)?.lastModified ?? '')
    expect(at('second.mp4')).toBeLessThanOrEqual(at('first.mp4'))
    await expect(cancel(ids[0])).rejects.toMatchObject({ code: 'PermissionDenied.JobInComplete' })
    await expect(cancel('0'.repeat(32))).rejects.toMatchObject({ code: 'InvalidParameter.ResourceNotFound' })
  })

  test('can be listed in pages, the newest first', async () => {
    const own = await openMps()
    onTestFinished(() => own.close())
    const { pipelineId } = own.service
    await own.client.updatePipeline(new mtsSdk.UpdatePipelineRequest({ pipelineId, name: 'p', state: 'Paused' }))
    const results = await submitted(
      Array.from({ length: 5 }, (_, index) => ({ OutputObject: `${index}.mp4`, TemplateId: MP4 })),
      {},
      own,
    )
    const ids = results.map((result) => result.job?.jobId).reverse()
    const list = (parameters: object) => own.client.listJob(new mtsSdk.ListJobRequest(parameters))
    const { body: first } = await list({ maximumPageSize: 3, state: 'Submitted', pipelineId })
    expect(first?.jobList?.job?.map(({ jobId }) => jobId)).toEqual(ids.slice(0, 3))
    const { body: rest } = await list({ maximumPageSize: 3, nextPageToken: first?.nextPageToken })
    expect(rest?.jobList?.job?.map(({ jobId }) => jobId)).toEqual(ids.slice(3))
    expect(rest?.nextPageToken).toBeUndefined()
    expect((await list({ state: 'TranscodeFail' })).body?.jobList?.job).toEqual([])
    const { body: some } = await own.client.queryJobList(
      new mtsSdk.QueryJobListRequest({ jobIds: `${ids[0]},${'0'.repeat(32)}` }),
    )
    expect(some?.jobList?.job).toHaveLength(1)
    expect(some?.nonExistJobIds?.string).toEqual(['0'.repeat(32)])
    await expect(
      own.client.queryJobList(new mtsSdk.QueryJobListRequest({ jobIds: Array(11).fill('a').join() })),
    ).rejects.toMatchObject({
      code: 'InvalidParameter.OutOfRange',
    })
  })

  test('goes on after a restart, also with what was cut off', async () => {
    const own = await openMps({ concurrency: 1 })
    onTestFinished(() => own.close())
    await own.oss.put('in/film one.mp4', film)
    const results = await submitted(
      ['a.mp4', 'b.mp4'].map((name) => ({ OutputObject: name, TemplateId: MP4, Video: fast })),
      {},
      own,
    )
    await own.restart()
    await own.idle()
    const states = await Promise.all(results.map(async (result) => (await job(result.job?.jobId, own))?.state))
    expect(states).toEqual(['TranscodeSuccess', 'TranscodeSuccess'])
    expect(await own.keys('')).toEqual(['a.mp4', 'b.mp4', 'in/film one.mp4'])
  })
})

describe('the end of a job', () => {
  test('is told to the topic and the queue of its pipeline, in both cases of letters', async () => {
    const mns = mnsClient(mps.mns.url)
    await mns.createQueue('ends')
    const { body: added } = await mps.client.addPipeline(
      new mtsSdk.AddPipelineRequest({ name: 'telling', notifyConfig: JSON.stringify({ QueueName: 'ends' }) }),
    )
    const pipelineId = added?.pipeline?.id ?? ''
    const good = { OutputObject: 'told.mp4', TemplateId: 'S00000001-200000' }
    const { body } = await submit([good], { pipelineId })
    await mps.idle()
    const jobId = body?.jobResultList?.jobResult?.[0]?.job?.jobId
    const { body: told } = await mns.receiveMessage('ends')
    const requestId = body?.requestId
    expect(JSON.parse(told.MessageBody ?? '')).toEqual({
      jobId,
      requestId,
      Type: 'Transcode',
      state: 'Success',
      type: 'Transcode',
      State: 'Success',
      JobId: jobId,
      RequestId: requestId,
    })
    expect((await job(jobId))?.MNSMessageResult).toMatchObject({ messageId: told.MessageId })
    const input = JSON.stringify({ ...INPUT, Object: 'nowhere.mp4' })
    await submit([good], { pipelineId, input })
    await mps.idle()
    const { body: failed } = await mns.receiveMessage('ends')
    expect(JSON.parse(failed.MessageBody ?? '')).toMatchObject({
      state: 'Fail',
      State: 'Fail',
      code: 'InvalidParameter.ResourceNotFound',
      msg: 'The resource operated "InputFile" cannot be found.',
    })
  })

  test('is not lost when the topic is not there: the job says so', async () => {
    const { body: added } = await mps.client.addPipeline(
      new mtsSdk.AddPipelineRequest({ name: 'mute', notifyConfig: '{"Topic":"nowhere"}' }),
    )
    const [result] = await submitted([{ OutputObject: 'mute.mp4', TemplateId: 'S00000001-200000' }], {
      pipelineId: added?.pipeline?.id,
    })
    await mps.idle()
    const done = await job(result?.job?.jobId)
    expect(done).toMatchObject({ state: 'TranscodeSuccess', MNSMessageResult: { errorCode: 'TopicNotExist' } })
  })
})

test('the message of an end that was stored before a kill, and not sent, is sent at the next start, once', async () => {
  let release = (_id: string) => {}
  const never = new Promise<string>((resolve) => {
    release = resolve
  })
  const own = await openMps({ notifier: { publish: () => never, send: () => never } })
  onTestFinished(() => own.close())
  onTestFinished(() => release(''))
  const { body: added } = await own.client.addPipeline(
    new mtsSdk.AddPipelineRequest({ name: 'telling', notifyConfig: JSON.stringify({ QueueName: 'ends' }) }),
  )
  const pipelineId = added?.pipeline?.id ?? ''
  const { body } = await submit([{ OutputObject: 'lost.mp4', TemplateId: MP4 }], { pipelineId }, own)
  const jobId = body?.jobResultList?.jobResult?.[0]?.job?.jobId
  await expect.poll(async () => (await job(jobId, own))?.state).toBe('TranscodeFail')

  const dataDir = join(own.dir, 'copy')
  await cp(join(own.dir, 'mps'), dataDir, { recursive: true })
  const told: string[] = []
  const send = async (queue: string, text: string) => `${queue} ${told.push(text)}`
  for (let starts = 1; starts <= 2; starts++) {
    const { credentials } = own
    const notifier = { publish: send, send }
    const place = { host: '127.0.0.1', port: 0, credentials, region: 'cn-hangzhou', dataDir, tools, notifier }
    const next = await startMps({ ...place, ossEndpoint: 'http://127.0.0.1:9' })
    next.resume()
    await next.idle()
    await next.close()
  }
  expect(told.map((text) => JSON.parse(text))).toEqual([expect.objectContaining({ jobId, state: 'Fail' })])
})

test('requests that wait for their pictures wait for each other too', async () => {
  let running = 0
  let most = 0
  const watch = () => {
    most = Math.max(most, ++running)
    return { env: process.env, started: () => {}, ended: () => void running-- }
  }
  const own = await openMps({ concurrency: 1, watch })
  onTestFinished(() => own.close())
  await own.oss.put('in/film one.mp4', film)
  const { client } = own
  const input = JSON.stringify(INPUT)
  const options = { readTimeout: 60_000, connectTimeout: 60_000 } as Parameters<
    typeof client.submitSnapshotJobWithOptions
  >[1]
  const taken = ['a.jpg', 'b.jpg', 'c.jpg', 'd.jpg', 'e.jpg'].map((name) => {
    const snapshotConfig = JSON.stringify({ OutputFile: { ...INPUT, Object: name }, Time: '1' })
    return client.submitSnapshotJobWithOptions(new mtsSdk.SubmitSnapshotJobRequest({ input, snapshotConfig }), options)
  })
  const answers = await Promise.all(taken)
  expect(answers.map(({ body }) => body?.snapshotJob?.state)).toEqual(taken.map(() => 'Success'))
  expect(most).toBe(2)
})
