import { randomUUID } from 'node:crypto'
import type OSS from 'ali-oss'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Client, type OpenOss, openOss } from './open.ts'
import { type RawRequest, sendSigned } from './raw.ts'

/** Methods of the client that its published types leave out. */
interface Untyped {
  putBucketPolicy(bucket: string, policy: object): Promise<object>
  putBucketTags(bucket: string, tags: object): Promise<object>
  getBucketTags(bucket: string): Promise<{ tag: object }>
  deleteBucketTags(bucket: string): Promise<object>
  putBucketInventory(bucket: string, inventory: object): Promise<object>
  getBucketInventory(bucket: string, id: string): Promise<{ inventory: object }>
  listBucketInventory(bucket: string): Promise<{ inventoryList: object[] }>
  deleteBucketInventory(bucket: string, id: string): Promise<object>
  initiateBucketWorm(bucket: string, days: string): Promise<{ wormId: string }>
  completeBucketWorm(bucket: string, id: string): Promise<object>
  extendBucketWorm(bucket: string, id: string, days: string): Promise<object>
  getBucketWorm(bucket: string): Promise<object>
  getBucketStat(bucket: string): Promise<{ stat: object }>
  putBucketLifecycle(bucket: string, rules: object[]): Promise<object>
}

type FullClient = Client & Untyped & Omit<OSS, keyof Untyped>

let oss: OpenOss
let bucket: string
beforeAll(async () => {
  oss = await openOss('by the nearer clock')
})
afterAll(() => oss.close())
beforeEach(async () => {
  bucket = `settings-${randomUUID()}`
  await oss.client('V4').putBucket(bucket)
})

const signed = (request: RawRequest) => {
  const { accessKeyId, accessKeySecret } = oss.credentials
  return sendSigned(oss.service.port, { accessKeyId, accessKeySecret }, request)
}
const put = (parameter: string, body: string) => signed({ method: 'PUT', path: `/${bucket}/?${parameter}`, body })
const get = (parameter: string) => signed({ path: `/${bucket}/?${parameter}` })
const remove = (parameter: string) => signed({ method: 'DELETE', path: `/${bucket}/?${parameter}` })

/** A document as the service gives it back, without its declaration. */
const inner = (text: string) =>
  text
    .replace(/^<\?xml.*\?>\s*/, '')
    .replaceAll(/>\s+</g, '><')
    .trim()

const LIFECYCLE =
  '<LifecycleConfiguration><Rule><ID>one</ID><Prefix>logs/中文+</Prefix><Status>Enabled</Status><Expiration><Days>3</Days></Expiration></Rule></LifecycleConfiguration>'
const REFERER =
  '<RefererConfiguration><AllowEmptyReferer>false</AllowEmptyReferer><RefererList><Referer>http://阿里云</Referer></RefererList></RefererConfiguration>'
const WEBSITE =
  '<WebsiteConfiguration><IndexDocument><Suffix>index+中文.html</Suffix></IndexDocument><ErrorDocument><Key>error.html</Key></ErrorDocument></WebsiteConfiguration>'
const TAGGING =
  '<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>b</Key><Value>2</Value></Tag></TagSet></Tagging>'
const ENCRYPTION =
  '<ServerSideEncryptionRule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></ServerSideEncryptionRule>'
const PAYMENT = '<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>'
const ACCELERATION = '<TransferAccelerationConfiguration><Enabled>true</Enabled></TransferAccelerationConfiguration>'
const EMPTY_REFERER =
  '<RefererConfiguration><AllowEmptyReferer>true</AllowEmptyReferer><RefererList></RefererList></RefererConfiguration>'

describe.each([
  ['lifecycle', LIFECYCLE, 'NoSuchLifecycle'],
  ['website', WEBSITE, 'NoSuchWebsiteConfiguration'],
  ['encryption', ENCRYPTION, 'NoSuchServerSideEncryptionRule'],
  ['transferAcceleration', ACCELERATION, 'NoSuchTransferAccelerationConfiguration'],
])('the setting %s', (parameter, document, missing) => {
  test('is missing, kept over a restart, and replaced', async () => {
    expect(await get(parameter)).toMatchObject({ status: 404, code: missing })
    expect(await put(parameter, document)).toMatchObject({ status: 200 })
    expect(await put(parameter, `<?xml version="1.0"?>\n<!-- again -->\n${document}`)).toMatchObject({ status: 200 })
    await oss.restart()
    const read = await get(parameter)
    expect(read.headers['content-type']).toBe('application/xml')
    expect(inner(read.text)).toBe(document)
  })
})

describe.each([
  ['referer', REFERER, EMPTY_REFERER],
  ['tagging', TAGGING, '<Tagging><TagSet></TagSet></Tagging>'],
  ['requestPayment', PAYMENT, '<RequestPaymentConfiguration><Payer>BucketOwner</Payer></RequestPaymentConfiguration>'],
])('the setting %s', (parameter, document, initial) => {
  test('is told before it was ever set, and afterwards', async () => {
    expect(inner((await get(parameter)).text)).toBe(initial)
    expect(await put(parameter, document)).toMatchObject({ status: 200 })
    expect(inner((await get(parameter)).text)).toBe(document)
  })
})

test.each(['lifecycle', 'website', 'encryption', 'logging', 'tagging', 'policy', 'cors'])(
  'the setting %s is removed, also where there is none',
  async (parameter) => {
    expect(await remove(parameter)).toMatchObject({ status: 204 })
    const documents: Record<string, string> = {
      lifecycle: LIFECYCLE,
      website: WEBSITE,
      encryption: ENCRYPTION,
      tagging: TAGGING,
    }
    const before = await get(parameter)
    const document = documents[parameter]
    if (document) await put(parameter, document)
    expect(await remove(parameter)).toMatchObject({ status: 204 })
    const after = await get(parameter)
    expect([after.status, after.code, after.status === 200 && after.text]).toEqual([
      before.status,
      before.code,
      before.status === 200 && before.text,
    ])
  },
)

const rule = (inside: string) => `<LifecycleConfiguration><Rule>${inside}</Rule></LifecycleConfiguration>`
const EXPIRES = '<Status>Enabled</Status><Expiration><Days>1</Days></Expiration>'

test.each<[string, string, string]>([
  ['lifecycle', '<This is a bad xml></bad as I am>', 'MalformedXML'],
  ['lifecycle', '<LifecycleConfiguration></LifecycleConfiguration>', 'MalformedXML'],
  ['lifecycle', rule('<Prefix>a</Prefix>'), 'MalformedXML'],
  ['lifecycle', rule('<Prefix>a</Prefix><Status>On</Status><Expiration><Days>1</Days></Expiration>'), 'MalformedXML'],
  ['lifecycle', rule('<Status>Enabled</Status>'), 'MalformedXML'],
  ['lifecycle', rule('<Status>Enabled</Status><Expiration><Days>0</Days></Expiration>'), 'InvalidArgument'],
  [
    'lifecycle',
    rule('<Status>Enabled</Status><Expiration><Date>2020-02-18T01:00:00.000Z</Date></Expiration>'),
    'InvalidArgument',
  ],
  [
    'lifecycle',
    rule('<Status>Enabled</Status><Transition><Days>1</Days><StorageClass>Hot</StorageClass></Transition>'),
    'MalformedXML',
  ],
  ['lifecycle', rule(`<ID>${'i'.repeat(256)}</ID>${EXPIRES}`), 'InvalidArgument'],
  ['website', '<WebsiteConfiguration></WebsiteConfiguration>', 'MalformedXML'],
  [
    'website',
    '<WebsiteConfiguration><IndexDocument><Suffix></Suffix></IndexDocument></WebsiteConfiguration>',
    'MalformedXML',
  ],
  [
    'website',
    '<WebsiteConfiguration><IndexDocument><Suffix>a/b</Suffix></IndexDocument></WebsiteConfiguration>',
    'InvalidArgument',
  ],
  ['referer', '<RefererConfiguration><RefererList></RefererList></RefererConfiguration>', 'MalformedXML'],
  ['encryption', ENCRYPTION.replace('AES256', 'DES'), 'InvalidEncryptionAlgorithmError'],
  ['requestPayment', PAYMENT.replace('Requester', 'requester'), 'MalformedXML'],
  ['transferAcceleration', ACCELERATION.replace('true', 'yes'), 'MalformedXML'],
  ['tagging', '<Tagging></Tagging>', 'MalformedXML'],
  ['tagging', TAGGING.replace('<Key>b', '<Key>a'), 'InvalidTag'],
  ['tagging', TAGGING.replace('<Key>b', `<Key>${'k'.repeat(65)}`), 'InvalidTag'],
  [
    'logging',
    '<BucketLoggingStatus><LoggingEnabled><TargetBucket>not-there</TargetBucket></LoggingEnabled></BucketLoggingStatus>',
    'InvalidTargetBucketForLogging',
  ],
  ['policy', 'policy', 'InvalidPolicyDocument'],
  ['policy', '{"Version":"1","Statement":[]}', 'InvalidPolicyDocument'],
  [
    'policy',
    '{"Version":"2","Statement":[{"Effect":"Allow","Action":"oss:*","Resource":"*"}]}',
    'InvalidPolicyDocument',
  ],
  ['policy', '{"Version":"1","Statement":[{"Effect":"Allow","Action":"oss:*"}]}', 'InvalidPolicyDocument'],
])('the setting %s refuses %s', async (parameter, body, code) => {
  const before = await get(parameter)
  expect(await put(parameter, body)).toMatchObject({ status: 400, code })
  const after = await get(parameter)
  expect([after.status, after.code]).toEqual([before.status, before.code])
})

const moved = (days: number, to: string) =>
  `<Transition><Days>${days}</Days><StorageClass>${to}</StorageClass></Transition>`
const older = (days: number, to: string) =>
  `<NoncurrentVersionTransition><NoncurrentDays>${days}</NoncurrentDays><StorageClass>${to}</StorageClass></NoncurrentVersionTransition>`
const expires = (days: number) => `<Expiration><Days>${days}</Days></Expiration>`
const BEFORE = '<CreatedBeforeDate>2016-12-25T00:00:00.000Z</CreatedBeforeDate>'

test.each([
  ['a move after the end', expires(3) + moved(4, 'IA'), 'InvalidArgument'],
  ['a colder class first', moved(5, 'IA') + moved(2, 'Archive'), 'InvalidArgument'],
  ['a move to Standard', expires(6) + moved(5, 'Standard'), 'InvalidArgument'],
  ['a colder class first for older versions', older(20, 'IA') + older(12, 'Archive'), 'InvalidArgument'],
  ['days and dates', `<Expiration>${BEFORE}</Expiration>${moved(3, 'IA')}`, 'InvalidRequest'],
  ['a tag of signs', `${expires(1)}<Tag><Key>%&amp;</Key><Value>v</Value></Tag>`, 'InvalidArgument'],
  ['moves in order', moved(355, 'IA') + moved(356, 'Archive') + expires(357), undefined],
  [
    'a move and the end of uploads',
    `${moved(1, 'IA')}<AbortMultipartUpload>${BEFORE}</AbortMultipartUpload>`,
    undefined,
  ],
  ['moves of older versions', older(12, 'IA') + older(20, 'Archive'), undefined],
])('a lifecycle rule with %s is judged', async (_name, actions, code) => {
  const answer = await put('lifecycle', rule(`<Prefix>a</Prefix><Status>Enabled</Status>${actions}`))
  expect(answer).toMatchObject(code === undefined ? { status: 200 } : { status: 400, code })
})

test('an empty key id of an encryption rule is left out', async () => {
  const kms = 'KMS</SSEAlgorithm><KMSMasterKeyID></KMSMasterKeyID>'
  expect(await put('encryption', ENCRYPTION.replace('AES256</SSEAlgorithm>', kms))).toMatchObject({ status: 200 })
  expect((await get('encryption')).text).not.toContain('KMSMasterKeyID')
})

test('a bucket that does not exist has no settings', async () => {
  bucket = `settings-${randomUUID()}`
  for (const parameter of [
    'lifecycle',
    'referer',
    'logging',
    'website',
    'tagging',
    'policy',
    'cors',
    'stat',
    'versions',
  ]) {
    expect(await get(parameter)).toMatchObject({ status: 404, code: 'NoSuchBucket' })
  }
  expect(await put('lifecycle', LIFECYCLE)).toMatchObject({ status: 404, code: 'NoSuchBucket' })
  expect(await remove('lifecycle')).toMatchObject({ status: 404, code: 'NoSuchBucket' })
})

test('a rule without an ID is given one', async () => {
  await put('lifecycle', rule(`<Prefix>a</Prefix>${EXPIRES}`))
  expect((await get('lifecycle')).text).toMatch(/<Rule><ID>[0-9a-f-]{36}<\/ID><Prefix>a</)
})

describe.each(['V1', 'V4'] as const)('through ali-oss with %s signatures', (version) => {
  const client = () => oss.client(version) as never as FullClient

  test('logging is set, read and removed', async () => {
    await client().putBucketLogging(bucket, 'logs/')
    expect(await client().getBucketLogging(bucket)).toMatchObject({ enable: true, prefix: 'logs/' })
    expect(await client().deleteBucketLogging(bucket)).toMatchObject({ res: { status: 204 } })
    expect(await client().getBucketLogging(bucket)).toMatchObject({ enable: false })
  })

  test('a website is set and read', async () => {
    await client().putBucketWebsite(bucket, { index: 'index.html', error: 'error.html' })
    expect(await client().getBucketWebsite(bucket)).toMatchObject({ index: 'index.html', error: 'error.html' })
    await client().deleteBucketWebsite(bucket)
    await expect(client().getBucketWebsite(bucket)).rejects.toMatchObject({ code: 'NoSuchWebsiteConfiguration' })
  })

  test('referers are set and read', async () => {
    const names = ['http://npm.taobao.org', 'https://npm.taobao.org']
    await client().putBucketReferer(bucket, false, names)
    expect(await client().getBucketReferer(bucket)).toMatchObject({ allowEmpty: false, referers: names })
    await client().deleteBucketReferer(bucket)
    expect(await client().getBucketReferer(bucket)).toMatchObject({ allowEmpty: true, referers: null })
  })

  test('lifecycle rules are set and read', async () => {
    const rules = [
      { id: 'r', prefix: 'logs/', status: 'Enabled', expiration: { days: 1 }, tag: { key: 'k', value: 'v' } },
    ]
    await client().putBucketLifecycle(bucket, rules as never)
    expect((await client().getBucketLifecycle(bucket)).rules).toMatchObject([
      { id: 'r', prefix: 'logs/', status: 'Enabled', expiration: { days: '1' }, tag: [{ key: 'k', value: 'v' }] },
    ])
  })

  test('a policy is set, read and removed', async () => {
    const policy = {
      Version: '1',
      Statement: [
        {
          Action: ['oss:PutObject', 'oss:GetObject'],
          Effect: 'Deny',
          Principal: ['1234567891'],
          Resource: ['acs:oss:*:1234567890:*/*'],
        },
      ],
    }
    await client().putBucketPolicy(bucket, policy)
    expect((await client().getBucketPolicy(bucket)).policy).toEqual(policy)
    expect(await client().deleteBucketPolicy(bucket)).toMatchObject({ status: 204 })
    expect((await client().getBucketPolicy(bucket)).policy).toBeNull()
  })

  test('buckets are found by their tags', async () => {
    const own = { own: randomUUID().slice(0, 20), b: '2' }
    await client().putBucketTags(bucket, own)
    expect((await client().getBucketTags(bucket)).tag).toEqual(own)
    const tagging = `"own":"${own.own}","b":"2"`
    const { buckets } = (await client().listBuckets({ subres: { tagging } } as never, {} as never)) as never as {
      buckets: object[]
    }
    expect(buckets).toMatchObject([{ name: bucket, tag: own }])
    await client().deleteBucketTags(bucket)
    expect((await client().getBucketTags(bucket)).tag).toEqual({})
  })

  test('inventories are set, listed and removed', async () => {
    const inventory = {
      id: 'default',
      isEnabled: false,
      prefix: 'ttt',
      OSSBucketDestination: { format: 'CSV', accountId: '1', rolename: 'AliyunOSSRole', bucket, prefix: 'test' },
      frequency: 'Daily',
      includedObjectVersions: 'All',
      optionalFields: { field: ['Size'] },
    }
    await client().putBucketInventory(bucket, inventory as never)
    await client().putBucketInventory(bucket, { ...inventory, id: 'other' } as never)
    await expect(client().putBucketInventory(bucket, inventory as never)).rejects.toMatchObject({
      code: 'InventoryAlreadyExist',
    })
    expect((await client().getBucketInventory(bucket, 'default')).inventory).toMatchObject({
      id: 'default',
      prefix: 'ttt',
    })
    expect((await client().listBucketInventory(bucket)).inventoryList).toMatchObject([
      { id: 'default' },
      { id: 'other' },
    ])
    for (const id of ['default', 'other']) await client().deleteBucketInventory(bucket, id)
    await expect(client().getBucketInventory(bucket, 'default')).rejects.toMatchObject({ code: 'NoSuchInventory' })
  })

  test('a retention is begun, locked, prolonged, and then protects what is there', async () => {
    const { wormId } = await client().initiateBucketWorm(bucket, '1')
    expect(await client().getBucketWorm(bucket)).toMatchObject({ wormId, state: 'InProgress', days: '1' })
    await client().completeBucketWorm(bucket, wormId)
    await client().extendBucketWorm(bucket, wormId, '2')
    expect(await client().getBucketWorm(bucket)).toMatchObject({ state: 'Locked', days: '2' })
    expect(await remove('worm')).toMatchObject({ status: 403, code: 'WORMConfigurationLocked' })
    const inside = client()
    inside.useBucket(bucket)
    await inside.put('key', Buffer.from('x'))
    const immutable = { status: 409, code: 'FileImmutable' }
    await expect(inside.put('key', Buffer.from('y'))).rejects.toMatchObject(immutable)
    await expect(inside.delete('key')).rejects.toMatchObject(immutable)
    oss.advance(2 * 86_400_000)
    await inside.delete('key')
  })
})

describe('a new bucket', () => {
  const client = () => oss.client('V4')

  test.each(['Standard', 'IA', 'Archive', 'ColdArchive'])(
    'of the class %s has objects of that class',
    async (StorageClass) => {
      const name = `class-${randomUUID()}`
      await client().putBucket(name, { StorageClass, acl: 'public-read' } as never)
      const { bucket: info } = await client().getBucketInfo(name)
      expect(info).toMatchObject({
        StorageClass,
        AccessControlList: { Grant: 'public-read' },
        DataRedundancyType: 'LRS',
      })
      const { buckets } = (await client().listBuckets({ prefix: name }, {} as never)) as never as { buckets: object[] }
      expect(buckets).toMatchObject([{ StorageClass }])
      const inside = client()
      inside.useBucket(name)
      await inside.put('key', Buffer.from('x'))
      expect((await inside.listV2({})).objects).toMatchObject([{ storageClass: StorageClass }])
    },
  )

  test('can be spread over zones', async () => {
    const name = `zones-${randomUUID()}`
    await client().putBucket(name, { dataRedundancyType: 'ZRS' } as never)
    expect((await client().getBucketInfo(name)).bucket).toMatchObject({ DataRedundancyType: 'ZRS' })
  })

  test('made once more keeps its ACL, unless another is named, and its class', async () => {
    await client().putBucketACL(bucket, 'public-read')
    await client().putBucket(bucket)
    expect((await client().getBucketACL(bucket)).acl).toBe('public-read')
    await client().putBucket(bucket, { acl: 'private' } as never)
    expect((await client().getBucketACL(bucket)).acl).toBe('private')
    const other = client().putBucket(bucket, { StorageClass: 'IA' } as never)
    await expect(other).rejects.toMatchObject({ status: 409, code: 'BucketAlreadyExists' })
  })

  test('comes of setting an ACL where there is none', async () => {
    const name = `acl-${randomUUID()}`
    await client().putBucketACL(name, 'public-read')
    expect((await client().getBucketACL(name)).acl).toBe('public-read')
  })

  test('tells what it holds', async () => {
    const inside = client()
    inside.useBucket(bucket)
    await inside.put('a', Buffer.from('content'))
    await inside.put('b', Buffer.from('cold'), { headers: { 'x-oss-storage-class': 'IA' } })
    await inside.initMultipartUpload('c')
    const { stat } = await (
      inside as never as { getBucketStat(name: string): Promise<{ stat: object }> }
    ).getBucketStat(bucket)
    expect(stat).toMatchObject({
      Storage: '11',
      ObjectCount: '2',
      MultipartUploadCount: '1',
      StandardStorage: '7',
      StandardObjectCount: '1',
      InfrequentAccessStorage: '4',
      InfrequentAccessObjectCount: '1',
      DeleteMarkerCount: '0',
    })
  })
})
