import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { openClock } from '../../../local/controls/clock.ts'
import type { ObjectEvent } from '../../../local/wire/object-event.ts'
import { type Bare, create, createTrigger, echo, invoke, startBare, update, zipOf } from './api.ts'
import { account, functionResource, httpTrigger, makeProject, manifestText } from './project.ts'
import { fc3Sdk, localConfig } from './sdk.ts'

let bare: Bare
beforeAll(async () => {
  bare = await startBare()
})
afterAll(() => bare.dispose())

const HTTP = {
  triggerName: 'web',
  triggerType: 'http',
  triggerConfig: { authType: 'anonymous', methods: ['GET', 'POST'] },
}
const WEB = `exports.handler = async (event) => {
  const { rawPath, queryParameters, requestContext } = JSON.parse(event)
  return { statusCode: 201, body: [process.env.WORD, requestContext.http.method, rawPath, JSON.stringify(queryParameters)].join(' ') } }`
const KEEPS = `const { appendFileSync } = require('node:fs')
exports.handler = async (event) => { appendFileSync(process.env.OUT, event + '\\n'); return '' }`

const oss = (bucket: string, prefix: string, suffix: string, events = ['oss:ObjectCreated:PutObject']) => ({
  triggerType: 'oss',
  sourceArn: `acs:oss:cn-hangzhou:${account.accountId}:${bucket}`,
  invocationRole: `acs:ram::${account.accountId}:role/oss`,
  triggerConfig: { events, filter: { key: { prefix, suffix } } },
})

function objectEvent(bucket: string, key: string): ObjectEvent {
  const facts = {
    size: 1,
    eTag: 'E',
    contentType: 'x',
    userMeta: {},
    requestId: 'r',
    sourceIp: '::1',
    principalId: 'p',
  }
  return { eventName: 'ObjectCreated:PutObject', bucket, key, at: Date.now(), ...facts }
}

/** A request by whatever name of the host, which `fetch` does not let one set. */
function ask(host: string, path: string, port = bare.fc.port): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ host: '127.0.0.1', port, path, headers: { host } }, (response) => {
      text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject)
    })
    sent.once('error', reject).end()
  })
}

describe('an HTTP trigger', () => {
  test('is reached at the URL that it is given, by its methods only', async () => {
    await create(bare.client, 'web', {
      code: { zipFile: zipOf({ 'index.js': WEB }) },
      environmentVariables: { WORD: 'hi' },
    })
    const made = await createTrigger(bare.client, 'web', HTTP)
    expect(made).toMatchObject({ triggerName: 'web', triggerType: 'http', qualifier: 'LATEST', description: '' })
    expect(JSON.parse(made?.triggerConfig ?? '')).toEqual(HTTP.triggerConfig)
    const url = made?.httpTrigger?.urlInternet ?? ''
    const answer = await fetch(`${url}a%20b/c?x=1`)
    expect([answer.status, await answer.text()]).toEqual([201, 'hi GET /a%20b/c {"x":"1"}'])
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(405)
    await update(bare.client, 'web', { environmentVariables: { WORD: 'changed' } })
    expect(await (await fetch(url)).text()).toContain('changed')
    await bare.client.deleteTrigger('web', 'web')
    const gone = await fetch(url)
    expect([gone.status, ((await gone.json()) as { Code: string }).Code]).toEqual([404, 'TriggerNotFound'])
  })

  test.each([
    ['closed to the internet', { authType: 'anonymous', disableURLInternet: true, methods: ['GET'] }],
    ['with signatures', { authType: 'function', methods: ['GET'] }],
  ])('%s refuses who comes by its URL', async (_what, triggerConfig) => {
    await create(bare.client, 'closed', { code: { zipFile: zipOf({ 'index.js': WEB }) } })
    onTestFinished(() => bare.client.deleteFunction('closed').then(() => {}))
    const made = await createTrigger(bare.client, 'closed', { ...HTTP, triggerConfig })
    const answer = await fetch(made?.httpTrigger?.urlInternet ?? '')
    expect([answer.status, ((await answer.json()) as { Code: string }).Code]).toEqual([403, 'AccessDenied'])
  })
})

describe('triggers', () => {
  beforeAll(async () => void (await create(bare.client, 'busy')))

  test('are read, listed, changed and deleted', async () => {
    const timer = {
      triggerName: 'tick',
      triggerType: 'timer',
      triggerConfig: { cronExpression: '@every 5m', enable: false },
    }
    await createTrigger(bare.client, 'busy', timer)
    await createTrigger(bare.client, 'busy', { triggerName: 'stored', ...oss('listing', 'a/', '') })
    const { body: listed } = await bare.client.listTriggers('busy', new fc3Sdk.ListTriggersRequest({ prefix: 'ti' }))
    expect(listed?.triggers?.map(({ triggerName }) => triggerName)).toEqual(['tick'])
    const input = new fc3Sdk.UpdateTriggerInput({
      description: 'slow',
      triggerConfig: '{"cronExpression":"@every 9m","enable":false}',
    })
    const { body: changed } = await bare.client.updateTrigger(
      'busy',
      'tick',
      new fc3Sdk.UpdateTriggerRequest({ body: input }),
    )
    expect(changed).toMatchObject({ description: 'slow', triggerType: 'timer' })
    expect((await bare.client.getTrigger('busy', 'tick')).body).toEqual(changed)
    await bare.client.deleteTrigger('busy', 'tick')
    await expect(bare.client.getTrigger('busy', 'tick')).rejects.toMatchObject({
      code: 'TriggerNotFound',
      statusCode: 404,
    })
  })

  test.each<[string, Record<string, unknown>, string]>([
    ['of a kind that nobody knows', { triggerType: 'carrier-pigeon', triggerConfig: {} }, 'InvalidArgument'],
    ['with settings that are not JSON', { triggerType: 'timer' }, 'InvalidArgument'],
    ['by no cron', { triggerType: 'timer', triggerConfig: { cronExpression: '* *', enable: true } }, 'InvalidArgument'],
    ['of a bucket without an ARN', { ...oss('b', '', ''), sourceArn: 'bucket' }, 'InvalidArgument'],
    ['of an event that OSS does not know', oss('b', '', '', ['oss:Nothing']), 'InvalidArgument'],
    [
      'over HTTP without methods',
      { ...HTTP, triggerConfig: { authType: 'anonymous', methods: [] } },
      'InvalidArgument',
    ],
    [
      'over HTTP by a method of another protocol',
      { ...HTTP, triggerConfig: { authType: 'anonymous', methods: ['TRACE'] } },
      'InvalidArgument',
    ],
    ['of a version that is not there', { ...HTTP, qualifier: '7' }, 'VersionNotFound'],
    [
      'of a topic without an ARN',
      { triggerType: 'mns_topic', sourceArn: 'topic', triggerConfig: {} },
      'InvalidArgument',
    ],
  ])('are refused %s', async (_what, input, code) => {
    await expect(createTrigger(bare.client, 'busy', { triggerName: 'bad', ...input })).rejects.toMatchObject({ code })
  })

  test('are refused where the name is taken, and where there is no function', async () => {
    await createTrigger(bare.client, 'busy', HTTP)
    await expect(createTrigger(bare.client, 'busy', HTTP)).rejects.toMatchObject({
      code: 'TriggerAlreadyExists',
      statusCode: 409,
    })
    await expect(createTrigger(bare.client, 'busy', { ...HTTP, triggerName: 'second' })).rejects.toMatchObject({
      code: 'InvalidArgument',
    })
    await expect(createTrigger(bare.client, 'nobody', HTTP)).rejects.toMatchObject({ code: 'FunctionNotFound' })
  })
})

describe('OSS triggers of one bucket', () => {
  beforeAll(async () => {
    await create(bare.client, 'watcher')
    await create(bare.client, 'rival')
    await createTrigger(bare.client, 'watcher', { triggerName: 'first', ...oss('watched', 'up/', '.mp4') })
  })

  test.each([
    ['the same keys', 'up/', '.mp4', ['oss:ObjectCreated:PutObject']],
    ['a part of the keys', 'up/a/', '', ['oss:ObjectCreated:PutObject']],
    ['more keys', '', '', ['oss:ObjectCreated:PutObject']],
    ['the events that are all of them', 'up/', '.mp4', ['oss:ObjectCreated:*']],
  ])('must not both want %s', async (_what, prefix, suffix, events) => {
    const rival = createTrigger(bare.client, 'rival', {
      triggerName: 'second',
      ...oss('watched', prefix, suffix, events),
    })
    await expect(rival).rejects.toMatchObject({
      code: 'InvalidArgument',
      message: expect.stringContaining('overlapping'),
    })
  })

  test.each([
    ['keys of another prefix', 'down/', '.mp4', ['oss:ObjectCreated:PutObject']],
    ['keys of another suffix', 'up/', '.mov', ['oss:ObjectCreated:PutObject']],
    ['other events', 'up/', '.mp4', ['oss:ObjectRemoved:DeleteObject']],
  ])('may want %s', async (_what, prefix, suffix, events) => {
    const made = await createTrigger(bare.client, 'rival', {
      triggerName: 'other',
      ...oss('watched', prefix, suffix, events),
    })
    expect(made?.sourceArn).toContain(':watched')
    await bare.client.deleteTrigger('rival', 'other')
  })
})

test('events start what has been deployed over the API, also after a restart', async () => {
  const first = await startBare()
  const OUT = `${first.dataDir}/out`
  await create(first.client, 'keeps', {
    code: { zipFile: zipOf({ 'index.js': KEEPS }) },
    environmentVariables: { OUT },
  })
  await createTrigger(first.client, 'keeps', { triggerName: 'stored', ...oss('b', 'in/', '') })
  const topic = `acs:mns:cn-hangzhou:${account.accountId}:/topics/news`
  const mns = { triggerType: 'mns_topic', sourceArn: topic }
  await createTrigger(first.client, 'keeps', { ...mns, triggerName: 'plain', triggerConfig: { filterTag: 'hot' } })
  await createTrigger(first.client, 'keeps', {
    ...mns,
    triggerName: 'framed',
    triggerConfig: { notifyContentFormat: 'JSON' },
  })
  const second = await first.again()
  onTestFinished(() => second.dispose())
  second.fc.ossEvent(objectEvent('b', 'out/x'))
  second.fc.ossEvent(objectEvent('b', 'in/x'))
  const message = { topic: 'news', id: 'M', body: 'read all about it', md5: 'A'.repeat(32), publishedAt: 5 }
  second.fc.topicMessage({ ...message, tag: 'hot' })
  second.fc.topicMessage({ ...message, topic: 'other' })
  await second.fc.idle()
  const lines = (await readFile(OUT, 'utf8')).trim().split('\n').sort()
  expect(lines).toHaveLength(3)
  expect(lines.filter((line) => line === 'read all about it')).toHaveLength(1)
  const [framed] = lines.filter((line) => line.includes('TopicName'))
  expect(JSON.parse(framed ?? '')).toEqual({
    TopicOwner: account.accountId,
    Message: 'read all about it',
    Subscriber: account.accountId,
    PublishTime: 5,
    SubscriptionName: 'framed',
    MessageMD5: 'A'.repeat(32),
    TopicName: 'news',
    MessageId: 'M',
    MessageTag: 'hot',
  })
  expect(JSON.parse(lines.find((line) => line.includes('"oss"')) ?? '').events[0].oss.object.key).toBe('in/x')
})

test('a timer that is created fires by the clock, one that is changed by its new times, one that is deleted no more', async () => {
  const folder = await mkdtemp(`${tmpdir()}/fc-clock-`)
  const clockFile = `${folder}/clock`
  const clock = openClock(clockFile, Date.now)
  const own = await startBare({ clock, clockFile })
  onTestFinished(async () => {
    clock.close()
    await own.dispose()
    await rm(folder, { recursive: true })
  })
  const OUT = `${own.dataDir}/out`
  await create(own.client, 'ticks', { code: { zipFile: zipOf({ 'index.js': KEEPS }) }, environmentVariables: { OUT } })
  const config = (payload: string) => ({ cronExpression: '@every 1h', enable: true, payload })
  await createTrigger(own.client, 'ticks', { triggerName: 'tick', triggerType: 'timer', triggerConfig: config('one') })
  await clock.advance(3_600_000)
  const body = new fc3Sdk.UpdateTriggerInput({ triggerConfig: JSON.stringify(config('two')) })
  await own.client.updateTrigger('ticks', 'tick', new fc3Sdk.UpdateTriggerRequest({ body }))
  await clock.advance(3_600_000)
  await own.client.deleteTrigger('ticks', 'tick')
  await clock.advance(3_600_000)
  await own.fc.idle()
  const payloads = (await readFile(OUT, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).payload)
  expect(payloads).toEqual(['one', 'two'])
})

describe('a custom domain', () => {
  const route = (path: string, more: object = {}) => ({ path, functionName: 'page', methods: ['GET'], ...more })
  const domain = (input: Record<string, unknown>) => {
    const body = new fc3Sdk.CreateCustomDomainInput({ protocol: 'HTTP', ...input })
    return bare.client.createCustomDomain(new fc3Sdk.CreateCustomDomainRequest({ body }))
  }
  beforeAll(async () => {
    await create(bare.client, 'page', {
      code: { zipFile: zipOf({ 'index.js': WEB }) },
      environmentVariables: { WORD: 'page' },
    })
    await createTrigger(bare.client, 'page', HTTP)
  })

  test('leads to functions by its name, at the address of the service', async () => {
    const routes = [
      route('/exact'),
      route('/old/*', { rewriteConfig: { wildcardRules: [{ match: '/old/*', replacement: '/new/$1' }] } }),
    ]
    const { body: made } = await domain({ domainName: 'video.example.com', routeConfig: { routes } })
    expect(made).toMatchObject({
      accountId: account.accountId,
      apiVersion: '2023-03-30',
      domainName: 'video.example.com',
      protocol: 'HTTP',
      routeConfig: { routes: [{ path: '/exact', functionName: 'page' }, { path: '/old/*' }] },
    })
    expect(await ask('video.example.com', '/exact?a=1')).toEqual({ status: 201, body: 'page GET /exact {"a":"1"}' })
    expect((await ask('video.example.com:8080', '/old/x/y')).body).toContain('GET /new/x/y')
    expect(await ask('video.example.com', '/elsewhere')).toMatchObject({
      status: 404,
      body: expect.stringContaining('DomainRouteNotFound'),
    })
    const input = new fc3Sdk.UpdateCustomDomainInput({ routeConfig: { routes: [route('/*')] } })
    await bare.client.updateCustomDomain('video.example.com', new fc3Sdk.UpdateCustomDomainRequest({ body: input }))
    expect((await ask('video.example.com', '/elsewhere')).status).toBe(201)
    const { body: listed } = await bare.client.listCustomDomains(
      new fc3Sdk.ListCustomDomainsRequest({ prefix: 'video' }),
    )
    expect(listed?.customDomains?.map(({ domainName }) => domainName)).toEqual(['video.example.com'])
    await bare.client.deleteCustomDomain('video.example.com')
    await expect(bare.client.getCustomDomain('video.example.com')).rejects.toMatchObject({
      code: 'DomainNameNotFound',
      statusCode: 404,
    })
  })

  test('with a star stands for every name below it', async () => {
    await domain({ domainName: '*.example.org', routeConfig: { routes: [route('/*')] } })
    expect((await ask('any.example.org', '/')).status).toBe(201)
    expect((await ask('deep.any.example.org', '/')).status).not.toBe(201)
  })

  test.each<[string, Record<string, unknown>, string]>([
    ['a name that is none', { domainName: 'a b' }, 'InvalidArgument'],
    ['a protocol that is none', { domainName: 'x.example.com', protocol: 'FTP' }, 'InvalidArgument'],
    ['HTTPS without a certificate', { domainName: 'x.example.com', protocol: 'HTTPS' }, 'InvalidArgument'],
    [
      'a route with a star inside',
      { domainName: 'x.example.com', routeConfig: { routes: [{ path: '/a/*/b', functionName: 'page' }] } },
      'InvalidArgument',
    ],
    [
      'the same route twice',
      { domainName: 'x.example.com', routeConfig: { routes: [route('/a'), route('/a')] } },
      'InvalidArgument',
    ],
  ])('is refused with %s', async (_what, input, code) => {
    await expect(domain(input)).rejects.toMatchObject({ code })
  })

  test('is refused where the name is taken', async () => {
    await domain({ domainName: 'taken.example.com' })
    await expect(domain({ domainName: 'taken.example.com' })).rejects.toMatchObject({
      code: 'DomainNameAlreadyExists',
      statusCode: 409,
    })
  })
})

describe('beside an s.yaml', () => {
  async function startBoth() {
    const project = await makeProject({
      'code/site/index.js': WEB,
      's.yaml': manifestText(
        {
          site: functionResource('site', {
            environmentVariables: { WORD: 'project' },
            triggers: [httpTrigger(), { triggerName: 'stored', ...oss('b', 'in/', '') }],
            asyncInvokeConfig: { asyncTask: true, maxAsyncRetryAttempts: 0 },
          }),
        },
        [{ path: '/site', functionName: 'site' }],
      ),
    })
    onTestFinished(() => project.dispose())
    const start = async () => {
      const running = await project.start()
      type Config = ConstructorParameters<typeof fc3Sdk.default>[0]
      return { ...running, client: new fc3Sdk.default(localConfig(running.fc.port, account) as Config) }
    }
    return { project, start }
  }

  test('what it declares is there for the API: functions, triggers, settings, domain', async () => {
    const { start } = await startBoth()
    const { client } = await start()
    expect((await client.getFunction('site', new fc3Sdk.GetFunctionRequest({}))).body).toMatchObject({
      functionName: 'site',
      runtime: 'nodejs20',
      timeout: 10,
      environmentVariables: { WORD: 'project' },
    })
    const { body } = await client.listTriggers('site', new fc3Sdk.ListTriggersRequest({}))
    expect(body?.triggers?.map(({ triggerName }) => triggerName)).toEqual(['http', 'stored'])
    const config = await client.getAsyncInvokeConfig('site', new fc3Sdk.GetAsyncInvokeConfigRequest({}))
    expect(config.body).toMatchObject({ asyncTask: true, maxAsyncRetryAttempts: 0 })
    expect((await client.getCustomDomain('auto')).body?.routeConfig?.routes).toHaveLength(1)
    await expect(create(client, 'site')).rejects.toMatchObject({ code: 'FunctionAlreadyExists' })
    const code = await client.getFunctionCode('site', new fc3Sdk.GetFunctionCodeRequest({}))
    expect((await fetch(code.body?.url ?? '')).headers.get('content-type')).toBe('application/zip')
  })

  test('what is deployed over the API takes the place of what it declares, until it is deleted', async () => {
    const { start } = await startBoth()
    const first = await start()
    expect(await (await fetch(`${first.gateway}/site`)).text()).toContain('project GET')
    await update(first.client, 'site', {
      code: { zipFile: zipOf({ 'index.js': WEB }) },
      environmentVariables: { WORD: 'deployed' },
    })
    expect(await (await fetch(`${first.gateway}/site`)).text()).toContain('deployed GET')
    expect(first.fc.functions.map(({ name }) => name)).toEqual(['site'])
    await first.close()

    const second = await start()
    expect(await (await fetch(`${second.gateway}/site`)).text()).toContain('deployed GET')
    expect(second.fc.functions).toEqual([])
    await second.client.deleteFunction('site')
    expect((await fetch(`${second.gateway}/site`)).status).toBe(404)
    await second.close()

    const third = await start()
    expect(await (await fetch(`${third.gateway}/site`)).text()).toContain('project GET')
  })

  test('a domain by the name of this machine takes the place of the declared routes', async () => {
    const { start } = await startBoth()
    const { client, gateway } = await start()
    const routes = [{ path: '/elsewhere', functionName: 'site' }]
    const body = new fc3Sdk.CreateCustomDomainInput({
      domainName: 'localhost',
      protocol: 'HTTP',
      routeConfig: { routes },
    })
    await client.createCustomDomain(new fc3Sdk.CreateCustomDomainRequest({ body }))
    expect(await (await fetch(`${gateway}/elsewhere`)).text()).toContain('GET /elsewhere')
    expect((await fetch(`${gateway}/site`)).status).toBe(404)
  })
})

test('invocations and events go to the version or alias that a trigger names', async () => {
  await create(bare.client, 'named', {
    code: { zipFile: zipOf({ 'index.js': WEB }) },
    environmentVariables: { WORD: 'first' },
  })
  await bare.client.publishFunctionVersion('named', new fc3Sdk.PublishFunctionVersionRequest({}))
  await update(bare.client, 'named', { environmentVariables: { WORD: 'second' } })
  const made = await createTrigger(bare.client, 'named', { ...HTTP, qualifier: '1' })
  expect(await (await fetch(made?.httpTrigger?.urlInternet ?? '')).text()).toContain('first GET')
  const latest = await createTrigger(bare.client, 'named', { ...HTTP, triggerName: 'latest' })
  expect(await (await fetch(latest?.httpTrigger?.urlInternet ?? '')).text()).toContain('second GET')
  await create(bare.client, 'plain')
  expect(await echo(bare.client, 'plain')).toMatchObject({ qualifier: 'LATEST' })
  await expect(invoke(bare.client, 'plain', { qualifier: '4' })).rejects.toMatchObject({ code: 'VersionNotFound' })
})
