import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Bare, create, echo, invoke, startBare, update, zipOf } from './api.ts'
import { account } from './project.ts'
import { fc3Sdk } from './sdk.ts'

let bare: Bare
beforeAll(async () => {
  bare = await startBare()
})
afterAll(() => bare.dispose())

const publish = async (name: string, description = '') => {
  const body = new fc3Sdk.PublishVersionInput({ description })
  return (await bare.client.publishFunctionVersion(name, new fc3Sdk.PublishFunctionVersionRequest({ body }))).body
}
const alias = async (name: string, input: Record<string, unknown>) => {
  const body = new fc3Sdk.CreateAliasInput(input)
  return (await bare.client.createAlias(name, new fc3Sdk.CreateAliasRequest({ body }))).body
}

describe('a published version', () => {
  test('stays as it was while the function goes on', async () => {
    await create(bare.client, 'versioned', { environmentVariables: { WORD: 'one' } })
    expect(await publish('versioned', 'the first')).toMatchObject({ versionId: '1', description: 'the first' })
    await update(bare.client, 'versioned', { environmentVariables: { WORD: 'two' } })
    expect((await publish('versioned'))?.versionId).toBe('2')
    expect(await echo(bare.client, 'versioned', { qualifier: '1' })).toMatchObject({ env: 'one', qualifier: '1' })
    expect(await echo(bare.client, 'versioned', { qualifier: '2' })).toMatchObject({ env: 'two', qualifier: '2' })
    const request = new fc3Sdk.GetFunctionRequest({ qualifier: '1' })
    expect((await bare.client.getFunction('versioned', request)).body?.environmentVariables).toEqual({ WORD: 'one' })
  })

  test('is listed, the newest first or last, and is gone when it is deleted; its number is not used again', async () => {
    await create(bare.client, 'counted')
    for (let n = 1; n <= 11; n++) await publish('counted')
    const list = async (query: ConstructorParameters<typeof fc3Sdk.ListFunctionVersionsRequest>[0]) =>
      (await bare.client.listFunctionVersions('counted', new fc3Sdk.ListFunctionVersionsRequest(query))).body
    const newest = await list({ limit: 3 })
    expect(newest?.versions?.map(({ versionId }) => versionId)).toEqual(['11', '10', '9'])
    const next = await list({ limit: 3, nextToken: newest?.nextToken ?? '' })
    expect(next?.versions?.map(({ versionId }) => versionId)).toEqual(['8', '7', '6'])
    expect((await list({ direction: 'FORWARD', limit: 2 }))?.versions?.map(({ versionId }) => versionId)).toEqual([
      '1',
      '2',
    ])
    await bare.client.deleteFunctionVersion('counted', '11')
    await expect(invoke(bare.client, 'counted', { qualifier: '11' })).rejects.toMatchObject({
      code: 'VersionNotFound',
      statusCode: 404,
    })
    expect((await publish('counted'))?.versionId).toBe('12')
  })
})

describe('an alias', () => {
  beforeAll(async () => {
    await create(bare.client, 'named', { environmentVariables: { WORD: 'one' } })
    await publish('named')
    await update(bare.client, 'named', { environmentVariables: { WORD: 'two' } })
    await publish('named')
  })

  test('leads to its version, and to another one when it is changed', async () => {
    expect(await alias('named', { aliasName: 'prod', versionId: '1', description: 'live' })).toMatchObject({
      aliasName: 'prod',
      versionId: '1',
      description: 'live',
    })
    expect(await echo(bare.client, 'named', { qualifier: 'prod' })).toMatchObject({ env: 'one' })
    const body = new fc3Sdk.UpdateAliasInput({ versionId: '2' })
    await bare.client.updateAlias('named', 'prod', new fc3Sdk.UpdateAliasRequest({ body }))
    expect(await echo(bare.client, 'named', { qualifier: 'prod' })).toMatchObject({ env: 'two' })
    expect((await bare.client.getAlias('named', 'prod')).body).toMatchObject({ versionId: '2', description: 'live' })
    const { body: listed } = await bare.client.listAliases('named', new fc3Sdk.ListAliasesRequest({}))
    expect(listed?.aliases?.map(({ aliasName }) => aliasName)).toContain('prod')
    await expect(bare.client.deleteFunctionVersion('named', '2')).rejects.toMatchObject({ statusCode: 400 })
    await bare.client.deleteAlias('named', 'prod')
    await expect(bare.client.getAlias('named', 'prod')).rejects.toMatchObject({
      code: 'AliasNotFound',
      statusCode: 404,
    })
  })

  test('gives another version its weight', async () => {
    await alias('named', { aliasName: 'canary', versionId: '1', additionalVersionWeight: { '2': 1 } })
    expect(await echo(bare.client, 'named', { qualifier: 'canary' })).toMatchObject({ env: 'two' })
    const body = new fc3Sdk.UpdateAliasInput({ additionalVersionWeight: { '2': 0 } })
    await bare.client.updateAlias('named', 'canary', new fc3Sdk.UpdateAliasRequest({ body }))
    expect(await echo(bare.client, 'named', { qualifier: 'canary' })).toMatchObject({ env: 'one' })
  })

  test.each([
    ['of a version that is not there', { aliasName: 'lost', versionId: '9' }, 'VersionNotFound'],
    ['called LATEST', { aliasName: 'LATEST', versionId: '1' }, 'InvalidArgument'],
    ['that is a number', { aliasName: '1', versionId: '1' }, 'InvalidArgument'],
    [
      'with a weight over one',
      { aliasName: 'heavy', versionId: '1', additionalVersionWeight: { '2': 2 } },
      'InvalidArgument',
    ],
  ])('is refused %s', async (_what, input, code) => {
    await expect(alias('named', input)).rejects.toMatchObject({ code })
  })

  test('is refused twice', async () => {
    await alias('named', { aliasName: 'twice', versionId: '1' })
    await expect(alias('named', { aliasName: 'twice', versionId: '1' })).rejects.toMatchObject({
      code: 'AliasAlreadyExists',
      statusCode: 409,
    })
  })
})

describe('a layer', () => {
  const publishLayer = async (name: string, files: Parameters<typeof zipOf>[0]) => {
    const code = new fc3Sdk.InputCodeLocation({ zipFile: zipOf(files) })
    const body = new fc3Sdk.CreateLayerVersionInput({ code, compatibleRuntime: ['nodejs20'], description: 'tools' })
    return (await bare.client.createLayerVersion(name, new fc3Sdk.CreateLayerVersionRequest({ body }))).body
  }
  const READS = `const { readFileSync } = require('node:fs')
exports.handler = async () => ['a', 'b'].map((name) => readFileSync(process.env[name.toUpperCase()], 'utf8')).join(' ')`

  test('is mounted at /opt; of a file in two layers the first one counts', async () => {
    const one = await publishLayer('one', { 'a.txt': 'a of one' })
    const two = await publishLayer('two', { 'a.txt': 'a of two', 'b.txt': 'b of two' })
    expect(one).toMatchObject({
      layerName: 'one',
      version: 1,
      layerVersionArn: `acs:fc:cn-hangzhou:${account.accountId}:layers/one/versions/1`,
      compatibleRuntime: ['nodejs20'],
      acl: '0',
    })
    const made = await create(bare.client, 'layered', {
      layers: [one?.layerVersionArn, two?.layerVersionArn],
      code: { zipFile: zipOf({ 'index.js': READS }) },
      environmentVariables: { A: '/opt/a.txt', B: '/opt/b.txt' },
    })
    expect(made?.layers).toMatchObject([
      { arn: one?.layerVersionArn, size: one?.codeSize },
      { arn: two?.layerVersionArn },
    ])
    expect((await invoke(bare.client, 'layered')).text).toBe('a of one b of two')
  })

  test('has versions, which are listed, read by number and by ARN, and deleted', async () => {
    for (let n = 1; n <= 3; n++) await publishLayer('grown', { 'n.txt': String(n) })
    const request = new fc3Sdk.ListLayerVersionsRequest({ startVersion: '2', limit: 1 })
    const { body: listed } = await bare.client.listLayerVersions('grown', request)
    expect(listed).toMatchObject({ layers: [{ version: 2 }], nextVersion: 3 })
    const { body: all } = await bare.client.listLayers(new fc3Sdk.ListLayersRequest({ prefix: 'grown' }))
    expect(all?.layers).toMatchObject([{ layerName: 'grown', version: 3 }])
    const { body: third } = await bare.client.getLayerVersion('grown', '3')
    expect((await bare.client.getLayerVersionByArn(third?.layerVersionArn ?? '')).body).toMatchObject({ version: 3 })
    expect((await fetch(third?.code?.location ?? '')).status).toBe(200)
    await bare.client.deleteLayerVersion('grown', '3')
    await expect(bare.client.getLayerVersion('grown', '3')).rejects.toMatchObject({
      code: 'LayerVersionNotFound',
      statusCode: 404,
    })
    await expect(bare.client.getLayerVersion('nobody', '1')).rejects.toMatchObject({
      code: 'LayerNotFound',
      statusCode: 404,
    })
    expect(await publishLayer('grown', { 'n.txt': '4' })).toMatchObject({ version: 4 })
  })

  test('can be given to everybody', async () => {
    await publishLayer('open', { 'n.txt': '1' })
    await bare.client.putLayerACL('open', new fc3Sdk.PutLayerACLRequest({ acl: '1' }))
    expect((await bare.client.getLayerVersion('open', '1')).body?.acl).toBe('1')
    const { body } = await bare.client.listLayers(new fc3Sdk.ListLayersRequest({ public: 'true' }))
    expect(body?.layers?.map(({ layerName }) => layerName)).toEqual(['open'])
  })
})

describe('settings of a function', () => {
  beforeAll(async () => void (await create(bare.client, 'settled')))

  test('for asynchronous invocations are put, read, listed and deleted', async () => {
    const destination = `acs:fc:cn-hangzhou:${account.accountId}:functions/settled`
    const body = new fc3Sdk.PutAsyncInvokeConfigInput({
      asyncTask: true,
      maxAsyncRetryAttempts: 1,
      maxAsyncEventAgeInSeconds: 60,
      destinationConfig: { onFailure: { destination } },
    })
    const missing = bare.client.getAsyncInvokeConfig('settled', new fc3Sdk.GetAsyncInvokeConfigRequest({}))
    await expect(missing).rejects.toMatchObject({ code: 'AsyncConfigNotExists', statusCode: 404 })
    await bare.client.putAsyncInvokeConfig('settled', new fc3Sdk.PutAsyncInvokeConfigRequest({ body }))
    const { body: read } = await bare.client.getAsyncInvokeConfig('settled', new fc3Sdk.GetAsyncInvokeConfigRequest({}))
    expect(read).toMatchObject({
      asyncTask: true,
      maxAsyncRetryAttempts: 1,
      maxAsyncEventAgeInSeconds: 60,
      destinationConfig: { onFailure: { destination } },
    })
    const { body: listed } = await bare.client.listAsyncInvokeConfigs(
      new fc3Sdk.ListAsyncInvokeConfigsRequest({ functionName: 'settled' }),
    )
    expect(listed?.configs).toHaveLength(1)
    const wrong = new fc3Sdk.PutAsyncInvokeConfigInput({ maxAsyncRetryAttempts: 9 })
    await expect(
      bare.client.putAsyncInvokeConfig('settled', new fc3Sdk.PutAsyncInvokeConfigRequest({ body: wrong })),
    ).rejects.toMatchObject({ code: 'InvalidArgument' })
    await bare.client.deleteAsyncInvokeConfig('settled', new fc3Sdk.DeleteAsyncInvokeConfigRequest({}))
    await expect(
      bare.client.getAsyncInvokeConfig('settled', new fc3Sdk.GetAsyncInvokeConfigRequest({})),
    ).rejects.toMatchObject({ code: 'AsyncConfigNotExists' })
  })

  test('for concurrency are put, read and deleted', async () => {
    const body = new fc3Sdk.PutConcurrencyInput({ reservedConcurrency: 1 })
    await bare.client.putConcurrencyConfig('settled', new fc3Sdk.PutConcurrencyConfigRequest({ body }))
    expect((await bare.client.getConcurrencyConfig('settled')).body).toMatchObject({
      functionArn: `acs:fc:cn-hangzhou:${account.accountId}:functions/settled`,
      reservedConcurrency: 1,
    })
    const ids = await Promise.all([1, 2, 3].map(async () => (await echo(bare.client, 'settled')).id))
    expect(new Set(ids).size).toBe(1)
    await bare.client.deleteConcurrencyConfig('settled')
    await expect(bare.client.getConcurrencyConfig('settled')).rejects.toMatchObject({ statusCode: 404 })
  })

  test('for provisioned instances are kept, and say that none are provisioned', async () => {
    const none = await bare.client.getProvisionConfig(
      'settled',
      new fc3Sdk.GetProvisionConfigRequest({ qualifier: 'LATEST' }),
    )
    expect(none.body).toMatchObject({ target: 0, functionArn: '' })
    const body = new fc3Sdk.PutProvisionConfigInput({ defaultTarget: 2 })
    await bare.client.putProvisionConfig('settled', new fc3Sdk.PutProvisionConfigRequest({ qualifier: 'LATEST', body }))
    const { body: listed } = await bare.client.listProvisionConfigs(new fc3Sdk.ListProvisionConfigsRequest({}))
    expect(listed?.provisionConfigs).toMatchObject([
      { defaultTarget: 2, current: 0, currentError: expect.stringContaining('no instances') },
    ])
  })
})

test('tags are put, found by resource and by tag, and taken away', async () => {
  await create(bare.client, 'tagged')
  const arn = `acs:fc:cn-hangzhou:${account.accountId}:functions/tagged`
  const resource = { resourceType: 'ALIYUN::FC::FUNCTION', resourceId: [arn] }
  const tag = [new fc3Sdk.Tag({ key: 'team', value: 'video' }), new fc3Sdk.Tag({ key: 'stage', value: 'test' })]
  const body = new fc3Sdk.TagResourcesInput({ ...resource, tag })
  await bare.client.tagResources(new fc3Sdk.TagResourcesRequest({ body }))
  const list = async (query: ConstructorParameters<typeof fc3Sdk.ListTagResourcesRequest>[0]) =>
    (await bare.client.listTagResources(new fc3Sdk.ListTagResourcesRequest(query))).body?.tagResources
  expect(await list(resource)).toMatchObject([
    { resourceId: arn, resourceType: 'ALIYUN::FC::FUNCTION', tagKey: 'stage', tagValue: 'test' },
    { tagKey: 'team' },
  ])
  const wanted = [new fc3Sdk.ListTagResourcesRequestTag({ key: 'team', value: 'audio' })]
  expect(await list({ resourceType: 'ALIYUN::FC::FUNCTION', tag: wanted })).toEqual([])
  await bare.client.untagResources(new fc3Sdk.UntagResourcesRequest({ ...resource, tagKey: ['team'] }))
  expect((await list(resource))?.map(({ tagKey }) => tagKey)).toEqual(['stage'])
  const nobody = new fc3Sdk.TagResourcesInput({ ...resource, resourceId: [`${arn}-not`], tag })
  await expect(bare.client.tagResources(new fc3Sdk.TagResourcesRequest({ body: nobody }))).rejects.toMatchObject({
    code: 'FunctionNotFound',
  })
})

test('results go to the queue and the topic that an asynchronous configuration names', async () => {
  const told: string[] = []
  const note = (where: string) => async (name: string, body: string) =>
    void told.push(`${where} ${name}: ${JSON.parse(body).responsePayload}`)
  const own = await startBare({ mns: { publish: note('topic'), send: note('queue') } })
  onTestFinished(() => own.dispose())
  const code =
    "exports.handler = async (event) => { if (String(event) === 'fail') throw new Error('no'); return 'yes' }"
  await create(own.client, 'tells', { code: { zipFile: zipOf({ 'index.js': code }) } })
  const mns = (path: string) => ({ destination: `acs:mns:cn-hangzhou:${account.accountId}:/${path}/messages` })
  const body = new fc3Sdk.PutAsyncInvokeConfigInput({
    maxAsyncRetryAttempts: 0,
    destinationConfig: { onSuccess: mns('queues/good'), onFailure: mns('topics/bad') },
  })
  await own.client.putAsyncInvokeConfig('tells', new fc3Sdk.PutAsyncInvokeConfigRequest({ body }))
  for (const event of ['work', 'fail']) await invoke(own.client, 'tells', { async: true, event })
  await own.fc.idle()
  expect(told.sort()).toEqual(['queue good: yes', expect.stringMatching(/^topic bad: .*"errorMessage":"no"/)])
})

describe('an asynchronous task', () => {
  const WAITS = `exports.handler = async (event) => {
  if (String(event) === 'wait') await new Promise((go) => setTimeout(go, 60000))
  return 'done ' + event }`
  const get = async (name: string, id: string) =>
    (await bare.client.getAsyncTask(name, id, new fc3Sdk.GetAsyncTaskRequest({}))).body
  const list = async (name: string, query: ConstructorParameters<typeof fc3Sdk.ListAsyncTasksRequest>[0] = {}) =>
    (await bare.client.listAsyncTasks(name, new fc3Sdk.ListAsyncTasksRequest(query))).body
  async function tasked(name: string) {
    await create(bare.client, name, { timeout: 100, code: { zipFile: zipOf({ 'index.js': WAITS }) } })
    const body = new fc3Sdk.PutAsyncInvokeConfigInput({ asyncTask: true, maxAsyncRetryAttempts: 3 })
    await bare.client.putAsyncInvokeConfig(name, new fc3Sdk.PutAsyncInvokeConfigRequest({ body }))
  }

  test('is found by its id, and where it was given none by the id of its request', async () => {
    await tasked('tasks')
    await invoke(bare.client, 'tasks', { async: true, taskId: 'mine', event: 'x' })
    const { headers } = await invoke(bare.client, 'tasks', { async: true, event: 'y' })
    const id = headers['x-fc-request-id'] ?? ''
    expect(headers['x-fc-async-task-id']).toBe(id)
    await bare.fc.idle()
    expect(await get('tasks', 'mine')).toMatchObject({
      taskId: 'mine',
      status: 'Succeeded',
      taskPayload: 'x',
      returnPayload: 'done x',
      alreadyRetriedTimes: 0,
    })
    expect((await get('tasks', id))?.events?.map(({ status }) => status)).toEqual(['Enqueued', 'Running', 'Succeeded'])
    await expect(get('tasks', 'nobody')).rejects.toMatchObject({ statusCode: 404 })
  })

  test('is listed by time, by status and by the beginning of its id, in pages', async () => {
    await tasked('many')
    for (const taskId of ['b-1', 'a-1', 'a-2']) await invoke(bare.client, 'many', { async: true, taskId })
    await bare.fc.idle()
    const ids = (page: Awaited<ReturnType<typeof list>>) => page?.tasks?.map(({ taskId }) => taskId)
    expect(ids(await list('many', { sortOrderByTime: 'asc' }))?.at(0)).toBe('b-1')
    expect(ids(await list('many', { prefix: 'a-', status: 'Succeeded' }))?.sort()).toEqual(['a-1', 'a-2'])
    expect(ids(await list('many', { status: 'Failed' }))).toEqual([])
    const first = await list('many', { limit: 2 })
    const second = await list('many', { limit: 2, nextToken: first?.nextToken ?? '' })
    expect([...(ids(first) ?? []), ...(ids(second) ?? [])].sort()).toEqual(['a-1', 'a-2', 'b-1'])
    expect(await list('many', { startedTimeBegin: Date.now() + 60_000 })).toMatchObject({ tasks: [] })
  })

  test('of a version that is gone by its turn fails and says so', async () => {
    await tasked('late')
    await publish('late')
    const waits = {
      timeout: 100,
      code: { zipFile: zipOf({ 'index.js': `exports.handler = async () => { throw new Error('again') }` }) },
    }
    await update(bare.client, 'late', waits)
    await publish('late')
    const slow = await bare.asIfKilled()
    const later = await slow.again({ retryDelayMs: 300 })
    onTestFinished(() => later.dispose())
    const body = new fc3Sdk.PutAsyncInvokeConfigInput({ maxAsyncRetryAttempts: 3 })
    await later.client.putAsyncInvokeConfig('late', new fc3Sdk.PutAsyncInvokeConfigRequest({ body, qualifier: '2' }))
    await invoke(later.client, 'late', { async: true, taskId: 'orphan', qualifier: '2' })
    const task = async () =>
      (await later.client.getAsyncTask('late', 'orphan', new fc3Sdk.GetAsyncTaskRequest({}))).body
    await expect.poll(async () => (await task())?.status).toBe('Retrying')
    await later.client.deleteFunctionVersion('late', '2')
    await expect.poll(async () => (await task())?.status, { timeout: 5000 }).toBe('Failed')
    expect((await task())?.taskErrorMessage).toContain('does not exist')
  })

  test('that runs or waits is stopped for good', async () => {
    await tasked('stopped')
    await invoke(bare.client, 'stopped', { async: true, taskId: 'long', event: 'wait' })
    await expect.poll(async () => (await get('stopped', 'long'))?.status).toBe('Running')
    await expect.poll(() => bare.fc.instances().some(({ functionName }) => functionName === 'stopped')).toBe(true)
    const stop = () => bare.client.stopAsyncTask('stopped', 'long', new fc3Sdk.StopAsyncTaskRequest({}))
    expect((await stop()).statusCode).toBe(204)
    await bare.fc.idle()
    expect(await get('stopped', 'long')).toMatchObject({ status: 'Stopped', alreadyRetriedTimes: 0 })
    await expect(stop()).rejects.toMatchObject({ statusCode: 400 })
    const again = await bare.asIfKilled()
    onTestFinished(() => again.dispose())
    await again.fc.idle()
    const { body } = await again.client.getAsyncTask('stopped', 'long', new fc3Sdk.GetAsyncTaskRequest({}))
    expect(body?.status).toBe('Stopped')
  })
})
