import { createRequire } from 'node:module'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ACCOUNT, mnsClient } from '../mns/open.ts'
import { BUCKET, clip, mtsClient, mtsSdk, type OpenMps, openMps, probe } from './open.ts'

const require = createRequire(import.meta.url)
let mps: OpenMps

beforeAll(async () => {
  mps = await openMps()
  await mps.oss.put('in/clip.mp4', await clip(3))
})
afterAll(() => mps.close())

const INPUT = JSON.stringify({ Bucket: BUCKET, Location: 'oss-cn-hangzhou', Object: 'in%2Fclip.mp4' })

describe('a template', () => {
  test('is made, changed, found, and after its deletion still known', async () => {
    const { client } = mps
    const { body: added } = await client.addTemplate(
      new mtsSdk.AddTemplateRequest({
        name: 'mine',
        container: '{"Format":"m3u8"}',
        video: '{"Codec":"H.264","Width":256,"Remove":false}',
        muxConfig: '{"Segment":{"Duration":"4"}}',
      }),
    )
    const id = added?.template?.id ?? ''
    expect(added?.template).toMatchObject({
      name: 'mine',
      state: 'Normal',
      container: { format: 'm3u8' },
      video: { codec: 'H.264', width: '256', remove: 'false' },
      muxConfig: { segment: { duration: '4' } },
    })
    await client.updateTemplate(
      new mtsSdk.UpdateTemplateRequest({ templateId: id, name: 'still mine', container: '{"Format":"mp4"}' }),
    )
    const { body: found } = await client.queryTemplateList(
      new mtsSdk.QueryTemplateListRequest({ templateIds: `${id},S00000001-200030,${'0'.repeat(32)}` }),
    )
    expect(found?.templateList?.template?.map(({ name, container }) => [name, container?.format])).toEqual([
      ['still mine', 'mp4'],
      ['MP4-HD', 'mp4'],
    ])
    expect(found?.nonExistTids?.string).toEqual(['0'.repeat(32)])
    const { body: deleted } = await client.deleteTemplate(new mtsSdk.DeleteTemplateRequest({ templateId: id }))
    expect(deleted?.templateId).toBe(id)
    const search = async (parameters: object) => {
      const { body } = await client.searchTemplate(new mtsSdk.SearchTemplateRequest(parameters))
      return [body?.totalCount, body?.templateList?.template?.map(({ state }) => state)]
    }
    expect(await search({ namePrefix: 'still', state: 'Deleted', pageNumber: 1, pageSize: 5 })).toEqual([
      1,
      ['Deleted'],
    ])
    expect(await search({ namePrefix: 'still', state: 'Normal' })).toEqual([0, []])
  })

  test.each([
    ['no name', {}, 'InvalidParameter.NullValue'],
    ['a long name', { name: 'x'.repeat(129) }, 'InvalidParameter.OutOfRange'],
    ['a section that is no object', { name: 'x', video: '[]' }, 'InvalidParameter.JsonObjectFormatInvalid'],
  ])('is refused with %s', async (_what, parameters, code) => {
    await expect(mps.client.addTemplate(new mtsSdk.AddTemplateRequest(parameters))).rejects.toMatchObject({ code })
  })
})

describe('a pipeline', () => {
  test('is there from the start', async () => {
    const { body } = await mps.client.searchPipeline(new mtsSdk.SearchPipelineRequest({}))
    expect(body?.pipelineList?.pipeline?.[0]).toMatchObject({
      id: mps.service.pipelineId,
      name: 'mts-service-pipeline',
      state: 'Active',
      speed: 'Standard',
    })
  })

  test('is made, changed, found and deleted', async () => {
    const { client } = mps
    const { body: added } = await client.addPipeline(
      new mtsSdk.AddPipelineRequest({ name: 'second', notifyConfig: '{"Topic":"done"}' }),
    )
    const id = added?.pipeline?.id ?? ''
    expect(added?.pipeline).toMatchObject({ name: 'second', state: 'Active', notifyConfig: { topic: 'done' } })
    const { body: changed } = await client.updatePipeline(
      new mtsSdk.UpdatePipelineRequest({ pipelineId: id, name: 'paused', state: 'Paused' }),
    )
    expect(changed?.pipeline).toMatchObject({ name: 'paused', state: 'Paused', notifyConfig: { topic: 'done' } })
    await client.deletePipeline(new mtsSdk.DeletePipelineRequest({ pipelineId: id }))
    const { body: found } = await client.queryPipelineList(new mtsSdk.QueryPipelineListRequest({ pipelineIds: id }))
    expect([found?.pipelineList?.pipeline, found?.nonExistPids?.string]).toEqual([[], [id]])
  })
})

describe('media buckets', () => {
  test('are bound, listed and let go', async () => {
    const { client } = mps
    await client.bindInputBucket(new mtsSdk.BindInputBucketRequest({ bucket: 'films', referer: 'http://example.com' }))
    await client.bindOutputBucket(new mtsSdk.BindOutputBucketRequest({ bucket: 'films' }))
    const list = async (parameters = {}) => {
      const { body } = await client.listAllMediaBucket(new mtsSdk.ListAllMediaBucketRequest(parameters))
      return body?.mediaBucketList?.mediaBucket?.map(({ bucket, type }) => `${type} ${bucket}`)
    }
    expect(await list()).toEqual(['Input films', 'Output films'])
    await client.unbindInputBucket(new mtsSdk.UnbindInputBucketRequest({ bucket: 'films' }))
    expect(await list()).toEqual(['Output films'])
  })
})

function snapshotJob(config: object, parameters: object = {}) {
  const full = { OutputFile: { Bucket: BUCKET, Location: 'oss-cn-hangzhou', Object: 'snap.jpg' }, ...config }
  return mps.client.submitSnapshotJob(
    new mtsSdk.SubmitSnapshotJobRequest({ input: INPUT, snapshotConfig: JSON.stringify(full), ...parameters }),
  )
}

async function snapshots(id: string | undefined) {
  const { body } = await mps.client.querySnapshotJobList(
    new mtsSdk.QuerySnapshotJobListRequest({ snapshotJobIds: id ?? '' }),
  )
  return body?.snapshotJobList?.snapshotJob?.[0]
}

const outputFile = (key: string) => ({ Bucket: BUCKET, Location: 'oss-cn-hangzhou', Object: encodeURIComponent(key) })

describe('a snapshot job', () => {
  test('for one picture is done before it is answered', async () => {
    const { body } = await snapshotJob({ Time: '1000', Width: '80' }, { userData: 'cover' })
    expect(body?.snapshotJob).toMatchObject({ state: 'Success', count: '1', userData: 'cover' })
    const { streams } = await probe((await mps.oss.get('snap.jpg')).content as Buffer, 'snap.jpg')
    expect(streams[0]).toMatchObject({ codec_name: 'mjpeg', width: 80, height: 60 })
  })

  test('for a series takes as many as there are, numbers them, and tells of it', async () => {
    const mns = mnsClient(mps.mns.url)
    await mns.createQueue('snapshots')
    const { body: added } = await mps.client.addPipeline(
      new mtsSdk.AddPipelineRequest({ name: 's', notifyConfig: '{"QueueName":"snapshots"}' }),
    )
    const config = {
      OutputFile: outputFile('series/{Count}.jpg'),
      Time: '0',
      Num: '10',
      Interval: '1',
      FrameType: 'normal',
    }
    const { body } = await snapshotJob(config, { pipelineId: added?.pipeline?.id })
    expect(body?.snapshotJob?.state).toBe('Submitted')
    await mps.idle()
    const id = body?.snapshotJob?.id
    expect(await snapshots(id)).toMatchObject({ state: 'Success', count: '3' })
    expect(await mps.keys('series/')).toEqual(['series/00001.jpg', 'series/00002.jpg', 'series/00003.jpg'])
    const { body: told } = await mns.receiveMessage('snapshots')
    expect(JSON.parse(told.MessageBody ?? '')).toMatchObject({
      type: 'Snapshot',
      Type: 'Snapshot',
      state: 'Success',
      jobId: id,
    })
  })

  test('lays its pictures side by side', async () => {
    const TileOut = { Columns: '2', Lines: '2', CellWidth: '80', CellHeight: '60', IsKeepCellPic: 'false' }
    const config = { OutputFile: outputFile('cells/{Count}.jpg'), Num: '6', Interval: '0', Time: '0' }
    const { body } = await snapshotJob({ ...config, TileOut, TileOutputFile: outputFile('tiles/{TileCount}.jpg') })
    await mps.idle()
    expect(await snapshots(body?.snapshotJob?.id)).toMatchObject({ state: 'Success', count: '6', tileCount: '2' })
    expect(await mps.keys('cells/')).toEqual([])
    expect(await mps.keys('tiles/')).toEqual(['tiles/00001.jpg', 'tiles/00002.jpg'])
    const { streams } = await probe((await mps.oss.get('tiles/00001.jpg')).content as Buffer, 'tile.jpg')
    expect(streams[0]).toMatchObject({ width: 160, height: 120 })
  })

  test.each([
    ['a time after the end', { Time: '60000' }, {}, 'InvalidParameter.OutOfRange'],
    ['no source', {}, { input: INPUT.replace('clip', 'nowhere') }, 'InvalidParameter.ResourceNotFound'],
  ])('fails with %s', async (_what, config, parameters, code) => {
    const { body } = await snapshotJob(config, parameters)
    expect(body?.snapshotJob).toMatchObject({ state: 'Fail', code })
  })

  test.each([
    ['no place for its pictures', { OutputFile: undefined }, 'InvalidParameter.JsonObjectFormatInvalid'],
    ['one name for many', { Num: '3' }, 'InvalidParameter.Format'],
    ['no pictures', { Num: '0' }, 'InvalidParameter.OutOfRange'],
    ['pictures of 4 pixels', { Width: '4' }, 'InvalidParameter.OutOfRange'],
    ['webvtt', { Format: 'vtt' }, 'InvalidParameter.NotSupported'],
  ])('is refused with %s', async (_what, config, code) => {
    await expect(snapshotJob(config)).rejects.toMatchObject({ code })
  })
})

describe('a media info job', () => {
  const submit = (parameters: object) =>
    mps.client.submitMediaInfoJob(new mtsSdk.SubmitMediaInfoJobRequest({ input: INPUT, ...parameters }))

  test('answers with what is in the file', async () => {
    const { body } = await submit({ userData: 'x' })
    expect(body?.mediaInfoJob).toMatchObject({ state: 'Success', userData: 'x' })
    expect(body?.mediaInfoJob?.properties).toMatchObject({ width: '160', height: '120', fps: '10' })
    const { streams, format } = body?.mediaInfoJob?.properties ?? {}
    expect(streams?.audioStreamList?.audioStream?.[0]).toMatchObject({ codecName: 'aac', samplerate: '44100' })
    expect(format).toMatchObject({ numStreams: '2' })
  })

  test('answers later when that is asked for', async () => {
    const { body } = await submit({ async: true })
    expect(body?.mediaInfoJob?.state).toBe('Analyzing')
    await mps.idle()
    const { body: found } = await mps.client.queryMediaInfoJobList(
      new mtsSdk.QueryMediaInfoJobListRequest({ mediaInfoJobIds: body?.mediaInfoJob?.jobId ?? '' }),
    )
    expect(found?.mediaInfoJobList?.mediaInfoJob?.[0]).toMatchObject({ state: 'Success', properties: { width: '160' } })
  })
})

describe('a caller', () => {
  test('with the older signature is answered too', async () => {
    type Client = new (
      options: object,
    ) => { request(action: string, parameters: object): Promise<Record<string, unknown>> }
    const RpcClient = require('@alicloud/pop-core') as Client
    const { accessKeyId, accessKeySecret } = ACCOUNT
    const endpoint = `http://localhost:${mps.service.port}`
    const client = new RpcClient({ accessKeyId, accessKeySecret, endpoint, apiVersion: '2014-06-18' })
    const { PipelineList } = await client.request('QueryPipelineList', { PipelineIds: mps.service.pipelineId })
    expect(PipelineList).toMatchObject({ Pipeline: [{ Id: mps.service.pipelineId }] })
    await expect(client.request('SubmitAnalysisJob', {})).rejects.toMatchObject({ code: 'InvalidAction.NotFound' })
  })

  test('in a session may do what its policy says', async () => {
    const policy = JSON.stringify({
      Version: '1',
      Statement: [{ Effect: 'Allow', Action: 'mts:Query*', Resource: '*' }],
    })
    const keys = mps.credentials.issue({ role: 'r', sessionName: 's', durationSeconds: 900, policy })
    const client = mtsClient(mps.service.port, keys)
    const { body } = await client.queryPipelineList(
      new mtsSdk.QueryPipelineListRequest({ pipelineIds: mps.service.pipelineId }),
    )
    expect(body?.pipelineList?.pipeline).toHaveLength(1)
    const submit = client.submitJobs(
      new mtsSdk.SubmitJobsRequest({
        input: INPUT,
        outputBucket: BUCKET,
        outputs: '[]',
        pipelineId: mps.service.pipelineId,
      }),
    )
    await expect(submit).rejects.toMatchObject({ code: 'NoPermission', statusCode: 403 })
  })
})
