import { randomUUID } from 'node:crypto'
import type OSS from 'ali-oss'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Client, type OpenOss, openOss } from './open.ts'
import { type RawRequest, sendSigned } from './raw.ts'

/** Methods of the client that its published types leave out. */
interface Live {
  putChannel(id: string, conf: object): Promise<{ publishUrls: string[]; playUrls: string[] }>
  getChannel(id: string): Promise<{ data: object }>
  deleteChannel(id: string): Promise<{ res: { status: number } }>
  putChannelStatus(id: string, status: string): Promise<object>
  getChannelStatus(id: string): Promise<{ data: object }>
  listChannels(query: object): Promise<{ channels: { Name: string }[]; nextMarker: string; isTruncated: boolean }>
  getChannelHistory(id: string): Promise<{ records: object[] }>
  createVod(id: string, name: string, time: object): Promise<object>
}
type LiveClient = Omit<Client & OSS, keyof Live> & Live

let oss: OpenOss
let bucket: string
let client: LiveClient
beforeAll(async () => {
  oss = await openOss()
})
afterAll(() => oss.close())
beforeEach(async () => {
  bucket = `live-${randomUUID()}`
  client = oss.client('V1') as unknown as LiveClient
  await client.putBucket(bucket)
  client.useBucket(bucket)
})

const signed = (request: RawRequest) => {
  const { accessKeyId, accessKeySecret } = oss.credentials
  return sendSigned(oss.service.port, { accessKeyId, accessKeySecret }, request)
}

const TARGET = { Type: 'HLS', FragDuration: '10', FragCount: '4', PlaylistName: 'own.m3u8' }
const CONF = { Description: 'news', Status: 'enabled', Target: TARGET }

test('a live channel is made, told, and gone after its deletion', async () => {
  const { publishUrls, playUrls } = await client.putChannel('channel-1', CONF)
  const host = `${bucket}.${new URL(oss.service.url).host}`
  expect(publishUrls).toEqual([`rtmp://${host}/live/channel-1`])
  expect(playUrls).toEqual([`http://${host}/channel-1/own.m3u8`])
  expect((await client.getChannel('channel-1')).data).toEqual(CONF)
  expect((await client.deleteChannel('channel-1')).res.status).toBe(204)
  expect((await client.deleteChannel('channel-1')).res.status).toBe(204)
  await expect(client.getChannel('channel-1')).rejects.toMatchObject({ status: 404, code: 'NoSuchLiveChannel' })
})

test('what a configuration leaves out has the values of the reference', async () => {
  await client.putChannel('plain', { Target: { Type: 'HLS', PlaylistName: '' } })
  expect((await client.getChannel('plain')).data).toEqual({
    Description: '',
    Status: 'enabled',
    Target: { Type: 'HLS', FragDuration: '5', FragCount: '3', PlaylistName: 'playlist.m3u8' },
  })
})

test('a channel is idle until it is disabled, and has no history', async () => {
  await client.putChannel('live channel 2', CONF)
  expect((await client.getChannelStatus('live channel 2')).data).toEqual({ Status: 'Idle' })
  await client.putChannelStatus('live channel 2', 'disabled')
  expect((await client.getChannelStatus('live channel 2')).data).toEqual({ Status: 'Disabled' })
  expect((await client.getChannelHistory('live channel 2')).records).toEqual([])
  await expect(client.putChannelStatus('live channel 2', 'idle')).rejects.toMatchObject({ code: 'InvalidArgument' })
  await expect(client.putChannelStatus('none', 'enabled')).rejects.toMatchObject({ code: 'NoSuchLiveChannel' })
})

test('channels are listed in pages', async () => {
  for (let i = 0; i < 10; i++) await client.putChannel(`channel-${i}`, CONF)
  await client.putChannel('other', CONF)
  const query = { prefix: 'channel-', marker: 'channel-4', 'max-keys': 3 }
  const { channels, nextMarker, isTruncated } = await client.listChannels(query)
  expect(channels.map(({ Name }) => Name)).toEqual(['channel-5', 'channel-6', 'channel-7'])
  expect({ nextMarker, isTruncated }).toEqual({ nextMarker: 'channel-7', isTruncated: true })
  expect((await client.listChannels({ prefix: 'channel-', marker: 'channel-7' })).isTruncated).toBe(false)
  expect((await client.listChannels({ prefix: 'none' })).channels).toEqual([])
})

test('channels outlive a restart, count, and keep their bucket from being deleted', async () => {
  await client.putChannel('kept', CONF)
  await oss.restart()
  client = oss.client('V4') as unknown as LiveClient
  client.useBucket(bucket)
  expect((await client.getChannel('kept')).data).toEqual(CONF)
  expect((await signed({ path: `/${bucket}/?stat` })).text).toContain('<LiveChannelCount>1</LiveChannelCount>')
  await expect(client.deleteBucket(bucket)).rejects.toMatchObject({ status: 409, code: 'BucketNotEmpty' })
  await client.deleteChannel('kept')
  await client.deleteBucket(bucket)
})

test('there is no playlist of a time in which nothing was sent', async () => {
  const time = { startTime: 1_600_000_000, endTime: 1_600_003_600 }
  await expect(client.createVod('none', 'vod.m3u8', time)).rejects.toMatchObject({ code: 'NoSuchLiveChannel' })
  await client.putChannel('one', CONF)
  const refused = { status: 400, code: 'InvalidArgument' }
  await expect(client.createVod('one', 'vod.m3u8', time)).rejects.toMatchObject(refused)
  await expect(client.createVod('one', 'vod.mp4', time)).rejects.toMatchObject(refused)
  const path = `/${bucket}/one?endTime=1600003600&startTime=1600000000&vod`
  expect(await signed({ path })).toMatchObject(refused)
  expect((await signed({ path })).text).toContain('No ts file found in specified time span.')
})

test('whoever is not signed in may not touch channels', async () => {
  const { url } = oss.service
  expect((await fetch(`${url}/${bucket}/one?live`, { method: 'DELETE' })).status).toBe(403)
})

describe('a channel is refused', () => {
  test.each<[string, object, string | undefined]>([
    ['of another type', { Target: { Type: 'HLs' } }, undefined],
    ['without a target', { Status: 'enabled' }, undefined],
    ['with another status', { ...CONF, Status: 'live' }, undefined],
    ['with a long description', { ...CONF, Description: 'x'.repeat(129) }, undefined],
    ['with fragments of no length', { Target: { ...TARGET, FragDuration: '0' } }, '0044-00000014'],
    ['with fragments of 101 seconds', { Target: { ...TARGET, FragDuration: '101' } }, '0044-00000014'],
    ['with too many fragments', { Target: { ...TARGET, FragCount: '1011111' } }, undefined],
    ['with a folder in its playlist', { Target: { ...TARGET, PlaylistName: 'a/b.m3u8' } }, '0044-00000016'],
    [
      'with a long name of its playlist',
      { Target: { ...TARGET, PlaylistName: `${'a'.repeat(124)}.m3u8` } },
      '0044-00000017',
    ],
    ['with a playlist that is none', { Target: { ...TARGET, PlaylistName: 'playlist.mp4' } }, '0044-00000018'],
    ['with half a snapshot', { ...CONF, Snapshot: { DestBucket: 'bucket-one' } }, undefined],
    [
      'with snapshots into no bucket',
      { ...CONF, Snapshot: { RoleName: 'r', DestBucket: 'bucket-none', NotifyTopic: 't', Interval: '6' } },
      undefined,
    ],
  ])('%s', async (_name, conf, exactCode) => {
    const error = await client.putChannel('bad', conf).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ status: 400, code: 'InvalidArgument' })
    if (exactCode) expect(error).toMatchObject({ ecCode: exactCode })
    await expect(client.getChannel('bad')).rejects.toMatchObject({ code: 'NoSuchLiveChannel' })
  })

  test('with a slash in its name', async () => {
    await expect(client.putChannel('a/b', CONF)).rejects.toMatchObject({ code: 'InvalidArgument' })
  })
})
