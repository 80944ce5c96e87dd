import { createHash } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import OSS from 'ali-oss'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { readObject } from '../../../local/fc/oss-source.ts'
import { checksumOf } from '../../../local/fc/packages.ts'
import { startOss } from '../../../local/oss/index.ts'
import { type Bare, clientOf, create, ECHO, echo, invoke, startBare, update, zipOf } from './api.ts'
import { account, credentials } from './project.ts'
import { fc2Sdk, fc3Sdk, localConfig } from './sdk.ts'

let bare: Bare
beforeAll(async () => {
  bare = await startBare()
})
afterAll(() => bare.dispose())

const get = async (name: string, qualifier?: string) =>
  (await bare.client.getFunction(name, new fc3Sdk.GetFunctionRequest(qualifier === undefined ? {} : { qualifier })))
    .body

describe('a function that is created', () => {
  test('is described with the defaults of the service and runs from its package', async () => {
    const zipFile = zipOf({ 'index.js': ECHO })
    const made = await create(bare.client, 'made', {
      code: { zipFile },
      role: `acs:ram::${account.accountId}:role/worker`,
      environmentVariables: { WORD: 'one' },
      tags: [new fc3Sdk.Tag({ key: 'team', value: 'video' })],
    })
    const archive = Buffer.from(zipFile, 'base64')
    expect(made).toMatchObject({
      codeChecksum: checksumOf(archive),
      codeSize: archive.length,
      cpu: 0.35,
      description: '',
      diskSize: 512,
      environmentVariables: { WORD: 'one' },
      functionArn: `acs:fc:cn-hangzhou:${account.accountId}:functions/made`,
      functionId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      functionName: 'made',
      handler: 'index.handler',
      instanceConcurrency: 1,
      internetAccess: true,
      lastUpdateStatus: 'Successful',
      memorySize: 512,
      runtime: 'nodejs20',
      state: 'Active',
      tags: [{ key: 'team', value: 'video' }],
      timeout: 3,
    })
    expect(made?.createdTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    expect(await get('made')).toEqual(made)
    expect(await echo(bare.client, 'made', { event: 'hello' })).toMatchObject({
      event: 'hello',
      env: 'one',
      qualifier: 'LATEST',
    })
  })

  test('serves a changed setting and changed code at once, while what has begun ends as it began', async () => {
    const slow = `exports.handler = (event, context, done) => setTimeout(() => done(null, 'old'), 300)`
    await create(bare.client, 'changing', { code: { zipFile: zipOf({ 'index.js': slow }) } })
    const begun = invoke(bare.client, 'changing')
    await expect.poll(() => bare.fc.instances().some(({ functionName }) => functionName === 'changing')).toBe(true)
    const changed = await update(bare.client, 'changing', {
      code: { zipFile: zipOf({ 'index.js': ECHO }) },
      environmentVariables: { WORD: 'new' },
    })
    expect(changed).toMatchObject({ handler: 'index.handler', environmentVariables: { WORD: 'new' } })
    expect(await echo(bare.client, 'changing')).toMatchObject({ env: 'new' })
    expect((await begun).text).toBe('old')
    await expect
      .poll(() => bare.fc.instances().filter(({ functionName }) => functionName === 'changing').length)
      .toBe(1)
  })

  test('keeps what an update does not name', async () => {
    await create(bare.client, 'partly', { description: 'first', timeout: 7 })
    expect(await update(bare.client, 'partly', { timeout: 8 })).toMatchObject({ description: 'first', timeout: 8 })
  })

  test('is gone when it is deleted, and its name is free again', async () => {
    await create(bare.client, 'passing')
    expect((await bare.client.deleteFunction('passing')).statusCode).toBe(204)
    await expect(get('passing')).rejects.toMatchObject({ statusCode: 404, code: 'FunctionNotFound' })
    await expect(bare.client.deleteFunction('passing')).rejects.toMatchObject({ code: 'FunctionNotFound' })
    await create(bare.client, 'passing')
  })

  test('of a custom runtime starts its bootstrap, with the mode that the package gives it', async () => {
    const bootstrap = `#!${process.execPath}
require('node:http').createServer((request, response) => response.end('from bootstrap')).listen(process.env.FC_CUSTOM_LISTEN_PORT)`
    const zipFile = zipOf({ bootstrap: { text: bootstrap, mode: 0o100755 } })
    await create(bare.client, 'booted', { runtime: 'custom.debian12', handler: 'unused', code: { zipFile } })
    expect((await invoke(bare.client, 'booted')).text).toBe('from bootstrap')
  })

  test('of a runtime that is not here is kept, says so, and fails when it is invoked', async () => {
    const made = await create(bare.client, 'python', { runtime: 'python3.10' })
    expect(made).toMatchObject({ state: 'Failed', stateReason: 'The local cloud has no runtime python3.10' })
    const answer = await invoke(bare.client, 'python')
    expect(answer.headers['x-fc-error-type']).toBe('UnhandledInvocationError')
    expect(JSON.parse(answer.text)).toMatchObject({ errorType: 'RuntimeNotFound' })
  })

  test('gives its package back', async () => {
    const zipFile = zipOf({ 'index.js': ECHO, 'more/data.txt': 'x' })
    const made = await create(bare.client, 'packed', { code: { zipFile } })
    const { body } = await bare.client.getFunctionCode('packed', new fc3Sdk.GetFunctionCodeRequest({}))
    expect(body?.checksum).toBe(made?.codeChecksum)
    const answer = await fetch(body?.url ?? '')
    expect(Buffer.from(await answer.arrayBuffer()).toString('base64')).toBe(zipFile)
    expect((await fetch(body?.url?.replace(/.$/, (last) => (last === '0' ? '1' : '0')) ?? '')).status).toBe(403)
  })

  test('tells the last of its log, its instance and its time to who asks', async () => {
    const code = {
      zipFile: zipOf({ 'index.js': `exports.handler = async () => { console.log('a line of it'); return '' }` }),
    }
    await create(bare.client, 'talking', { code })
    const { headers } = await invoke(bare.client, 'talking', { tail: true })
    const log = Buffer.from(headers['x-fc-log-result'] ?? '', 'base64').toString()
    expect(log).toContain('a line of it')
    expect(log).toMatch(/^FC Invoke Start RequestId: 1-/)
    expect(log).toMatch(/Duration: [\d.]+ ms, Billed Duration: \d+ ms, Memory Size: 512 MB/)
    expect(headers['x-fc-instance-id']).toMatch(/^c-/)
    expect(Number(headers['x-fc-invocation-duration'])).toBeGreaterThan(0)
    expect((await invoke(bare.client, 'talking')).headers['x-fc-log-result']).toBeUndefined()
  })
})

describe('functions are listed', () => {
  const list = async (query: ConstructorParameters<typeof fc3Sdk.ListFunctionsRequest>[0]) =>
    (await bare.client.listFunctions(new fc3Sdk.ListFunctionsRequest(query))).body
  beforeAll(async () => {
    for (const name of ['listed-c', 'listed-a', 'listed-b']) await create(bare.client, name)
  })

  test('by name, in pages', async () => {
    const first = await list({ prefix: 'listed-', limit: 2 })
    expect(first?.functions?.map(({ functionName }) => functionName)).toEqual(['listed-a', 'listed-b'])
    const second = await list({ prefix: 'listed-', limit: 2, nextToken: first?.nextToken ?? '' })
    expect(second?.functions?.map(({ functionName }) => functionName)).toEqual(['listed-c'])
    expect(second?.nextToken).toBeUndefined()
  })

  test.each([{ limit: 0 }, { limit: 101 }, { nextToken: '%%%' }])('but not with %o', async (query) => {
    await expect(list(query)).rejects.toMatchObject({ statusCode: 400, code: 'InvalidArgument' })
  })
})

describe('CreateFunction refuses', () => {
  const EVIL = (name: string) => zipOf({ [name]: 'x' })
  test.each<[string, Record<string, unknown>, string, number]>([
    ['a name that starts with a digit', { functionName: '1st' }, 'InvalidArgument', 400],
    ['a name of 65 characters', { functionName: 'x'.repeat(65) }, 'InvalidArgument', 400],
    ['a runtime that nobody knows', { runtime: 'nodejs99' }, 'InvalidArgument', 400],
    ['no handler', { handler: undefined }, 'InvalidArgument', 400],
    ['a time limit of zero', { timeout: 0 }, 'InvalidArgument', 400],
    ['a time limit over a day', { timeout: 86_401 }, 'InvalidArgument', 400],
    ['memory that is no multiple of 64', { memorySize: 130 }, 'InvalidArgument', 400],
    ['too little memory', { memorySize: 64 }, 'InvalidArgument', 400],
    ['more processor than memory', { memorySize: 512, cpu: 1 }, 'InvalidArgument', 400],
    ['a disk of another size', { diskSize: 1024 }, 'InvalidArgument', 400],
    ['concurrency in a built-in runtime', { instanceConcurrency: 5 }, 'InvalidArgument', 400],
    ['a role that is none', { role: 'worker' }, 'InvalidArgument', 400],
    ['variables over 4 KB', { environmentVariables: { A: 'x'.repeat(4096) } }, 'InvalidArgument', 400],
    ['a variable with a strange name', { environmentVariables: { 'A-B': 'x' } }, 'InvalidArgument', 400],
    ['no code', { code: undefined }, 'InvalidArgument', 400],
    ['code that is not Base64', { code: { zipFile: '***' } }, 'InvalidArgument', 400],
    ['code that is no archive', { code: { zipFile: Buffer.from('hello').toString('base64') } }, 'InvalidArgument', 400],
    ['a wrong checksum', { code: { zipFile: EVIL('a'), checksum: '1' } }, 'InvalidArgument', 400],
    ['a package that leads upwards', { code: { zipFile: EVIL('../outside') } }, 'InvalidArgument', 400],
    ['a package with an absolute path', { code: { zipFile: EVIL('/etc/outside') } }, 'InvalidArgument', 400],
    [
      'a link that leads outside',
      { code: { zipFile: zipOf({ link: { text: '../../etc', mode: 0o120777 } }) } },
      'InvalidArgument',
      400,
    ],
    [
      'a file behind a link',
      { code: { zipFile: zipOf({ link: { text: '.', mode: 0o120777 }, 'link/file': 'x' }) } },
      'InvalidArgument',
      400,
    ],
    ['code in OSS where there is none', { code: { ossBucketName: 'b', ossObjectName: 'o' } }, 'InvalidArgument', 400],
    [
      'a layer that does not exist',
      { layers: [`acs:fc:cn-hangzhou:${account.accountId}:layers/nothing/versions/1`] },
      'LayerVersionNotFound',
      404,
    ],
  ])('%s', async (_what, changes, code, statusCode) => {
    await expect(create(bare.client, 'refused', changes)).rejects.toMatchObject({ code, statusCode })
    await expect(get('refused')).rejects.toMatchObject({ code: 'FunctionNotFound' })
  })

  test('a truncated archive, wherever it is cut', async () => {
    const whole = Buffer.from(zipOf({ 'index.js': ECHO, 'b.txt': 'b'.repeat(500) }), 'base64')
    for (const length of [1, 21, 40, whole.length - 30, whole.length - 1]) {
      const code = { zipFile: whole.subarray(0, length).toString('base64') }
      await expect(create(bare.client, 'cut', { code })).rejects.toMatchObject({ code: 'InvalidArgument' })
    }
    const flipped = Buffer.from(whole)
    flipped.writeUInt8(flipped.readUInt8(45) ^ 1, 45)
    const code = { zipFile: flipped.toString('base64') }
    await expect(create(bare.client, 'cut', { code })).rejects.toMatchObject({ code: 'InvalidArgument' })
  })

  test('a name that is taken', async () => {
    await create(bare.client, 'taken')
    await expect(create(bare.client, 'taken')).rejects.toMatchObject({
      code: 'FunctionAlreadyExists',
      statusCode: 409,
      message: expect.stringContaining("function 'taken' already exists"),
    })
  })

  test('a caller whose policy does not name it', async () => {
    const policy = JSON.stringify({
      Version: '1',
      Statement: [{ Effect: 'Allow', Action: 'fc:Get*', Resource: `acs:fc:*:${account.accountId}:functions/*` }],
    })
    const keys = credentials.issue({ role: 'r', sessionName: 's', durationSeconds: 900, policy })
    const narrow = clientOf(bare.fc, keys)
    await create(bare.client, 'seen')
    expect((await narrow.getFunction('seen', new fc3Sdk.GetFunctionRequest({}))).body?.functionName).toBe('seen')
    await expect(create(narrow, 'denied')).rejects.toMatchObject({ code: 'AccessDenied', statusCode: 403 })
    await expect(narrow.deleteFunction('seen')).rejects.toMatchObject({ code: 'AccessDenied' })
  })
})

test('what is deployed is on disk when it is acknowledged, and runs again after a restart', async () => {
  await create(bare.client, 'lasting', { environmentVariables: { WORD: 'kept' } })
  const copy = await bare.asIfKilled()
  const again = await copy.again()
  onTestFinished(() => again.dispose())
  expect(await echo(again.client, 'lasting')).toMatchObject({ env: 'kept' })
  const described = await again.client.getFunction('lasting', new fc3Sdk.GetFunctionRequest({}))
  expect(described.body).toEqual(await get('lasting'))
})

test('code is read from OSS', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'fc-oss-'))
  const oss = await startOss({ host: '127.0.0.1', port: 0, dataDir, region: 'cn-hangzhou', credentials, now: Date.now })
  onTestFinished(async () => {
    await oss.close()
    await rm(dataDir, { recursive: true })
  })
  await oss.createBucket('packages')
  const store = new OSS({
    ...account,
    endpoint: oss.url,
    bucket: 'packages',
    region: 'oss-cn-hangzhou',
    sldEnable: true,
  } as OSS.Options)
  await store.put('v1/code +ä.zip', Buffer.from(zipOf({ 'index.js': ECHO }), 'base64'))
  const own = await startBare({ ossUrl: oss.url })
  onTestFinished(() => own.dispose())
  await create(own.client, 'fromoss', { code: { ossBucketName: 'packages', ossObjectName: 'v1/code +ä.zip' } })
  expect(await echo(own.client, 'fromoss', { event: 'x' })).toMatchObject({ event: 'x' })
  const missing = { ossBucketName: 'packages', ossObjectName: 'nothing' }
  await expect(update(own.client, 'fromoss', { code: missing })).rejects.toMatchObject({ code: 'InvalidArgument' })
})

test('the 2.0 API finds the same functions under every service', async () => {
  type Config = ConstructorParameters<typeof fc2Sdk.default>[0]
  const client = new fc2Sdk.default(localConfig(bare.fc.port, account) as Config)
  await create(bare.client, 'shared', {
    instanceLifecycleConfig: { initializer: { handler: 'index.init', timeout: 4 } },
  })
  const services = (await client.listServices(new fc2Sdk.ListServicesRequest({}))).body
  expect(services.services).toHaveLength(1)
  expect((await client.getService('svc', new fc2Sdk.GetServiceRequest({}))).body.serviceName).toBe('svc')
  const found = (await client.getFunction('svc', 'shared', new fc2Sdk.GetFunctionRequest({}))).body
  expect(found).toMatchObject({ functionName: 'shared', initializer: 'index.init', initializationTimeout: 4 })
  const listed = (await client.listFunctions('svc', new fc2Sdk.ListFunctionsRequest({ prefix: 'shared' }))).body
  expect(listed.functions?.map(({ functionName }) => functionName)).toEqual(['shared'])
  await expect(client.getFunction('svc', 'nobody', new fc2Sdk.GetFunctionRequest({}))).rejects.toMatchObject({
    code: 'FunctionNotFound',
  })
})

test('a path that is no operation, and an operation that is not here, are told apart', async () => {
  const call = (pathname: string) =>
    bare.client.callApi(
      Object.assign(Object.create(null), {
        action: 'X',
        version: '2023-03-30',
        protocol: 'HTTP',
        pathname,
        method: 'GET',
        authType: 'AK',
        style: 'FC',
        reqBodyType: 'json',
        bodyType: 'json',
      }),
      Object.assign(Object.create(null), { headers: {} }),
      {} as Parameters<typeof bare.client.callApi>[2],
    )
  await expect(call('/2023-03-30/nothing')).rejects.toMatchObject({ code: 'PathNotSupported' })
  await expect(bare.client.listInstances('made', new fc3Sdk.ListInstancesRequest({}))).rejects.toMatchObject({
    code: 'NotImplemented',
    statusCode: 501,
  })
})

test('packages that nothing leads to any more are removed at the next start, others stay', async () => {
  const own = await startBare()
  const code = (word: string) => ({ zipFile: zipOf({ 'index.js': `${ECHO} // ${word}` }) })
  await create(own.client, 'worker', { code: code('first') })
  await update(own.client, 'worker', { code: code('second') })
  const again = await own.again()
  onTestFinished(() => again.dispose())
  const kept = createHash('sha256')
    .update(Buffer.from(code('second').zipFile, 'base64'))
    .digest('hex')
    .slice(0, 40)
  const names = (await readdir(join(again.dataDir, 'fc-code'))).filter((name) => name.endsWith('.zip'))
  expect(names).toEqual([`${kept}.zip`])
  expect(await echo(again.client, 'worker')).toMatchObject({ event: '{}' })
})

describe('one package for several functions', () => {
  test('can be deployed for all of them at once', async () => {
    const code = { zipFile: zipOf({ 'index.js': ECHO, 'once.txt': 'never seen before' }) }
    const names = ['at-once-1', 'at-once-2', 'at-once-3', 'at-once-4']
    await Promise.all(names.map((name) => create(bare.client, name, { code })))
    for (const name of names) expect(await echo(bare.client, name, { event: name })).toMatchObject({ event: name })
  })
})

test.each([
  ['a name that is too long for a disk', { [`${'x'.repeat(300)}.js`]: '' }],
  ['a file where a folder has to be', { place: '', 'place/index.js': '' }],
])('a package with %s is refused', async (_, files) => {
  await expect(create(bare.client, 'cramped', { code: { zipFile: zipOf(files) } })).rejects.toMatchObject({
    code: 'InvalidArgument',
    message: expect.stringContaining('has no place'),
  })
})

test('what is no Base64 is refused as quickly as it comes', async () => {
  const zipFile = `${' '.repeat(200_000)}!`
  const startedAt = performance.now()
  await expect(create(bare.client, 'blank', { code: { zipFile } })).rejects.toMatchObject({ code: 'InvalidArgument' })
  expect(performance.now() - startedAt).toBeLessThan(2000)
})

test('a package in OSS that is too large is not even read', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'fc-oss-'))
  const oss = await startOss({ host: '127.0.0.1', port: 0, dataDir, credentials, region: 'cn-hangzhou', now: Date.now })
  onTestFinished(async () => {
    await oss.close()
    await rm(dataDir, { recursive: true })
  })
  await oss.createBucket('packages')
  const { accessKeyId, accessKeySecret } = account
  const place = { endpoint: oss.url, bucket: 'packages', region: 'oss-cn-hangzhou', sldEnable: true }
  await new OSS({ ...place, accessKeyId, accessKeySecret } as OSS.Options).put('code.zip', Buffer.alloc(10))
  const read = (key: string, limitBytes: number) =>
    readObject(oss.url, account, { bucket: 'packages', key }, limitBytes)
  expect(await read('code.zip', 9)).toBe('too-large')
  expect(await read('code.zip', 10)).toEqual(Buffer.alloc(10))
  expect(await read('other.zip', 10)).toBeUndefined()
})
