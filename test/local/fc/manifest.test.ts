import { describe, expect, test } from 'vitest'
import { readManifest } from '../../../local/fc/manifest.ts'
import { ossTriggerFires, ossTriggerPayload } from '../../../local/fc/oss-trigger.ts'
import { findRoute } from '../../../local/fc/routes.ts'
import type { ObjectEvent } from '../../../local/wire/object-event.ts'
import { functionResource, httpTrigger, manifestText } from './project.ts'

const web = functionResource('web', { triggers: [httpTrigger()] })
const withRoute = (route: object) => manifestText({ web }, [{ path: '/x', functionName: 'web', ...route }])
const withProps = (props: object) =>
  manifestText({ web: functionResource('web', { triggers: [httpTrigger()], ...props }) })

test('env() and vars are put in, defaults where the environment is silent', () => {
  const text = `
vars: { region: "\${env('REGION', 'cn-hangzhou')}", name: web }
resources:
  web:
    component: fc3
    props:
      region: \${vars.region}
      functionName: \${vars.name}
      runtime: nodejs20
      handler: index.handler
      code: ./code
      timeout: \${env('TIMEOUT', '7')}
      role: acs:ram::1:role/Worker
      environmentVariables: { URL: "http://\${env('HOST')}/\${vars.name}", EMPTY: "\${env('NOTHING', '')}" }
`
  const [config] = readManifest(text, { HOST: 'here', REGION: 'cn-beijing' }).functions
  expect(config).toMatchObject({
    name: 'web',
    region: 'cn-beijing',
    timeoutS: 7,
    role: 'worker',
    environment: { URL: 'http://here/web', EMPTY: '' },
  })
  expect(() => readManifest(text, {})).toThrow(/HOST is not set/)
})

describe('s.yaml is refused for', () => {
  test.each([
    ['a wildcard inside a route', withRoute({ path: '/a/*/b' }), /exact path or a trailing/],
    ['a wildcard that is not a segment', withRoute({ path: '/a*' }), /exact path or a trailing/],
    ['a parameter in a route', withRoute({ path: '/a/:id' }), /exact path or a trailing/],
    ['a regular expression as a route', withRoute({ path: '/(a|b)' }), /exact path or a trailing/],
    ['a relative route', withRoute({ path: 'a' }), /exact path or a trailing/],
    ['a route to nobody', withRoute({ functionName: 'nobody' }), /HTTP trigger/],
    ['a rewrite', withRoute({ rewriteConfig: {} }), /rewriteConfig/],
    ['a method that HTTP triggers do not know', withRoute({ methods: ['TRACE'] }), /expected one of/],
    [
      'the same route twice',
      manifestText({ web }, [
        { path: '/x', functionName: 'web' },
        { path: '/x', functionName: 'web' },
      ]),
      /twice/,
    ],
    [
      'a route to a function without HTTP trigger',
      manifestText({ web: functionResource('web') }, [{ path: '/x', functionName: 'web' }]),
      /HTTP trigger/,
    ],
    ['a runtime that is not run here', withProps({ runtime: 'nodejs22' }), /expected one of/],
    ['concurrency in a built-in runtime', withProps({ instanceConcurrency: 2 }), /one request per instance/],
    ['a time limit of zero', withProps({ timeout: 0 }), /expected an integer/],
    ['a function name that starts with a digit', withProps({ functionName: '1web' }), /not starting with a digit/],
    [
      'an authenticated HTTP trigger',
      withProps({ triggers: [{ triggerType: 'http', triggerConfig: { authType: 'jwt' } }] }),
      /anonymous/,
    ],
    [
      'a trigger that is not run here',
      withProps({ triggers: [{ triggerType: 'cdn_events' }] }),
      /expected one of http, oss, timer/,
    ],
    [
      'a destination that is not there',
      withProps({
        asyncInvokeConfig: {
          destinationConfig: { onFailure: { destination: 'acs:fc:cn-hangzhou:1:functions/nobody' } },
        },
      }),
      /no function nobody/,
    ],
    [
      'a destination of another kind',
      withProps({
        asyncInvokeConfig: {
          destinationConfig: { onFailure: { destination: 'acs:mq:cn-hangzhou:1:/instances/i/topic/t' } },
        },
      }),
      /acs:fc/,
    ],
    ['an expression that is not known', withProps({ code: '${file(x)}' }), /expected env/],
    ['two functions of one name', manifestText({ a: web, b: web }), /two functions/],
    ['another component', manifestText({ a: { component: 'oss', props: {} } }), /fc3 or fc3-domain/],
  ])('%s', (_what, text, message) => {
    expect(() => readManifest(text, {})).toThrow(message)
  })
})

describe('the route of a path', () => {
  const routes = ['/v1/uploads', '/v1/uploads/*', '/v1/*', '/play/*'].map((path) => ({ path, functionName: path }))

  test.each([
    ['/v1/uploads', '/v1/uploads'],
    ['/v1/uploads/', '/v1/uploads/*'],
    ['/v1/uploads/abc/complete', '/v1/uploads/*'],
    ['/v1/uploadsX', '/v1/*'],
    ['/v1/videos', '/v1/*'],
    ['/v1', undefined],
    ['/play', undefined],
    ['/', undefined],
    ['/V1/videos', undefined],
  ])('%s is %s', (path, expected) => {
    expect(findRoute(routes, path)?.path).toBe(expected)
  })
})

describe('an OSS trigger', () => {
  const config = {
    triggerName: 'created',
    triggerType: 'oss',
    sourceArn: 'acs:oss:cn-hangzhou:1:yunbo',
    triggerConfig: {
      events: ['oss:ObjectCreated:PutObject', 'oss:ObjectRemoved:*'],
      filter: { key: { prefix: 'uploads/', suffix: 'source' } },
    },
  }
  const event: ObjectEvent = {
    eventName: 'ObjectCreated:PutObject',
    bucket: 'yunbo',
    key: 'uploads/a b%2F+/source',
    size: 12,
    eTag: '"ABC"',
    contentType: 'video/mp4',
    userMeta: { 'x-oss-meta-a': '1' },
    requestId: 'rid',
    sourceIp: '127.0.0.1',
    principalId: '1',
    at: 1_700_000_000_000,
  }
  const trigger = readManifest(withProps({ triggers: [config] }), {}).functions[0]?.oss[0]

  test.each<[string, Partial<ObjectEvent>, boolean]>([
    ['its event, prefix and suffix', {}, true],
    ['an event covered by a star', { eventName: 'ObjectRemoved:DeleteObject' }, true],
    ['another event of the group', { eventName: 'ObjectCreated:UploadPart' }, false],
    ['another prefix', { key: 'covers/source' }, false],
    ['another suffix', { key: 'uploads/x/cover' }, false],
    ['another bucket', { bucket: 'other' }, false],
  ])('for %s', (_what, change, fires) => {
    expect(trigger && ossTriggerFires(trigger, { ...event, ...change })).toBe(fires)
  })

  test('gives the key as it is and the documented fields', () => {
    const payload = JSON.parse(ossTriggerPayload(event, 'cn-hangzhou', '1').toString())
    expect(payload.events).toHaveLength(1)
    expect(payload.events[0]).toMatchObject({
      eventName: 'ObjectCreated:PutObject',
      eventSource: 'acs:oss',
      eventTime: '2023-11-14T22:13:20.000Z',
      oss: {
        bucket: { arn: 'acs:oss:cn-hangzhou:1:yunbo', name: 'yunbo' },
        object: {
          key: 'uploads/a b%2F+/source',
          eTag: 'ABC',
          size: 12,
          deltaSize: 12,
          objectMeta: { mimeType: 'video/mp4' },
        },
      },
      region: 'cn-hangzhou',
      responseElements: { requestId: 'rid' },
    })
  })

  test.each([
    ['an event that OSS does not know', { events: ['oss:ObjectMade'] }],
    ['an event without its prefix', { events: ['ObjectCreated:PutObject'] }],
    ['no event', { events: [] }],
    ['no filter', { filter: undefined }],
  ])('is refused with %s', (_what, change) => {
    const changed = { ...config, triggerConfig: { ...config.triggerConfig, ...change } }
    expect(() => readManifest(withProps({ triggers: [changed] }), {})).toThrow(/s\.yaml/)
  })
})
