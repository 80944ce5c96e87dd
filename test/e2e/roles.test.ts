import OSS from 'ali-oss'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Place, roles } from '../../deploy/roles.ts'
import { assumeUploader } from '../../shared/cloud/sts.ts'
import { openTables } from '../../shared/cloud/tablestore.ts'
import { TABLES } from '../../shared/tables/schema.ts'
import { clipFile, openStage, type Stage, type Ticket } from './cloud.ts'

let stage: Stage
let ticket: Ticket

beforeAll(async () => {
  stage = await openStage()
  ticket = (await stage.upload(await clipFile('plain'))).ticket
})
afterAll(() => stage?.close())

/** Credentials as Function Compute gives them to a function. */
async function credentialsOf(name: string) {
  const { sts, accountId, accessKeyId, accessKeySecret } = stage.local.cloud
  const sdk = await import('@alicloud/sts20150401')
  const Client = sdk.default.default ?? sdk.default
  const client = new Client({ endpoint: sts.endpoint, protocol: 'http', accessKeyId, accessKeySecret } as never)
  const roleArn = `acs:ram::${accountId}:role/yunbo-${name}`
  const { AssumeRoleRequest } = sdk.default.AssumeRoleRequest ? sdk.default : sdk
  const { body } = await client.assumeRole(new AssumeRoleRequest({ roleArn, roleSessionName: 'test' }))
  const keys = body?.credentials
  return {
    accessKeyId: keys?.accessKeyId ?? '',
    accessKeySecret: keys?.accessKeySecret ?? '',
    securityToken: keys?.securityToken ?? '',
  }
}

async function bucketAs(name: string): Promise<OSS> {
  const { oss, region } = stage.local.cloud
  const { securityToken: stsToken, ...keys } = await credentialsOf(name)
  return new OSS({
    ...{ endpoint: oss.endpoint, bucket: oss.bucket, sldEnable: true, region: `oss-${region}`, authorizationV4: true },
    ...{ ...keys, stsToken, refreshSTSTokenInterval: Number.MAX_SAFE_INTEGER },
  } as OSS.Options)
}

async function tablesAs(name: string) {
  return openTables(stage.local.cloud.tablestore, await credentialsOf(name), { requestId: 'test', tries: 1 })
}

const denied = { code: 'AccessDenied' }
const deniedRow = { message: expect.stringContaining('OTSNoPermissionAccess') }

describe('the rights of a function do not reach further than its work:', () => {
  test('the worker that reads a stranger’s file removes nothing, lists nothing and hands out nothing', async () => {
    const oss = await bucketAs('ffmpeg-transcode')
    await oss.head(ticket.key)
    await expect(oss.delete(ticket.key)).rejects.toMatchObject(denied)
    await expect(oss.put(ticket.key, Buffer.from('x'))).rejects.toMatchObject(denied)
    await expect(oss.listV2({ prefix: 'uploads/', 'max-keys': '1' }, {})).rejects.toMatchObject(denied)
    const tables = await tablesAs('ffmpeg-transcode')
    await expect(tables.get('accounts', [['username_key', 'demo']])).rejects.toMatchObject(deniedRow)
    await expect(tables.get('videos', [['video_id', ticket.videoId]])).rejects.toMatchObject(deniedRow)
    const { sts, oss: place, accountId } = stage.local.cloud
    const config = {
      endpoint: `http://${sts.endpoint}`,
      uploadRoleArn: `acs:ram::${accountId}:role/yunbo-uploader`,
    }
    const grant = { bucket: place.bucket, key: 'uploads/x/source', sessionName: 'test', seconds: 900 }
    const worker = await credentialsOf('ffmpeg-transcode')
    await expect(assumeUploader(config, worker, grant)).rejects.toMatchObject({ cause: { code: 'NoPermission' } })
    await assumeUploader(config, await credentialsOf('sts-token'), grant)
  })

  test('what signs the addresses of segments reads no source and writes no row', async () => {
    const oss = await bucketAs('play-redirect')
    await expect(oss.head(ticket.key)).rejects.toMatchObject({ status: 403 })
    const tables = await tablesAs('play-redirect')
    const key = [['playback_id', ticket.playbackId]] as const
    expect(await tables.get('playbacks', key)).toMatchObject({ video_id: ticket.videoId })
    const write = { table: 'playbacks', key, expect: 'any', update: { revoked: true } } as const
    await expect(tables.write(write)).rejects.toMatchObject(deniedRow)
  })

  test('only what removes for good may erase', async () => {
    const row = { table: 'videos', key: [['video_id', 'nobody']], expect: 'any', delete: true } as const
    for (const name of ['videos', 'upload-notify', 'heartbeat', 'mps-callback']) {
      await expect((await tablesAs(name)).write(row), name).rejects.toMatchObject(deniedRow)
    }
    await (await tablesAs('sweep')).write(row)
  })
})

test('a whole life under these rights leaves nothing behind', async () => {
  expect(await stage.call('DELETE', `/v1/videos/${ticket.videoId}`)).toMatchObject({ status: 204 })
  await stage.local.advance(8 * 24 * 3_600_000)
  await stage.local.idle()
  const { oss, region, accessKeyId, accessKeySecret } = stage.local.cloud
  const place = { endpoint: oss.endpoint, bucket: oss.bucket, sldEnable: true, region: `oss-${region}` }
  const bucket = new OSS({ ...place, authorizationV4: true, accessKeyId, accessKeySecret } as OSS.Options)
  const { objects = [] } = await bucket.listV2({ 'max-keys': '10' }, {})
  expect(objects.map(({ name }) => name)).toEqual([])
})

test('every table that a role names exists, and every table is in some role', () => {
  const place: Place = { accountId: '1', region: 'r', bucket: 'b', instance: 'i', prefix: 'yunbo-' }
  const named = roles(place)
    .flatMap(({ policy }) => policy.Statement)
    .flatMap(({ Resource = [] }) => Resource.flatMap((resource) => resource.match(/table\/(\w+)$/)?.[1] ?? []))
  const known = TABLES.flatMap(({ table, indexes = [] }) => [table, ...indexes.map(({ index }) => index)])
  expect([...new Set(named)].sort()).toEqual(known.sort())
})
