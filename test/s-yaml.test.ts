import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { loadConfig, type SectionName } from '../shared/config.ts'
import { checkSYaml, readSYaml } from './s-yaml/check.mjs'

const original = readFileSync(new URL('../s.yaml', import.meta.url), 'utf8')

/** The file with one thing changed; a change that changes nothing would make the test say nothing. */
function changed(from: string, to: string): string {
  const text = original.replace(from, to)
  expect(text).not.toBe(original)
  return text
}

test('the s.yaml of this project is as expected', () => {
  expect(checkSYaml(original)).toEqual([])
})

test.each([
  ['an unknown key of a function', '      logConfig: auto', '      logConfg: auto', 'logConfg'],
  [
    'an unknown key of a resource',
    "    component: ${env('YUNBO_COMPONENT', 'fc3')}\n",
    "    component: ${env('YUNBO_COMPONENT', 'fc3')}\n    prop: {}\n",
    'prop',
  ],
  [
    'a component that is not used here',
    "component: ${env('YUNBO_COMPONENT', 'fc3')}-domain",
    'component: fc-domain',
    'component',
  ],
  ['a runtime that does not exist', 'runtime: nodejs20', 'runtime: nodejs22', 'nodejs20'],
  ['a timeout of nothing', 'timeout: 10\n', 'timeout: 0\n', 'timeout'],
  ['memory that is no multiple of 64', 'memorySize: 512', 'memorySize: 500', 'memorySize'],
  ['memory beyond the limit', 'memorySize: 8192', 'memorySize: 65536', 'memorySize'],
  ['processor that is no multiple of 0.05', 'cpu: 0.35', 'cpu: 0.33', 'cpu'],
  ['too little memory for the processor', 'cpu: 4\n', 'cpu: 16\n', 'between 1:1 and 1:4'],
  ['a disk size that cannot be had', 'diskSize: 10240', 'diskSize: 1024', 'diskSize'],
  [
    'many requests in a built-in runtime',
    'cpu: 0.35',
    'instanceConcurrency: 10\n      cpu: 0.35',
    'instanceConcurrency',
  ],
  ['a role in capitals, which would be lower-cased', 'role/yunbo-videos', 'role/Yunbo-Videos', 'role'],
  ['a built-in runtime without its handler', '      handler: index.handler\n', '', 'handler'],
  ['a custom runtime without its command', 'command: [/var/fc/lang/nodejs20/bin/node]', '', 'command'],
  [
    'node from a PATH that the image does not have',
    'command: [/var/fc/lang/nodejs20/bin/node]',
    'command: [node]',
    'command',
  ],
  ['a method that is none', 'methods: [GET, HEAD, POST,', 'methods: [GET, FETCH, POST,', 'methods/1'],
  ['OPTIONS, which the gateway answers', 'methods: [GET, HEAD, POST,', 'methods: [GET, OPTIONS, POST,', 'methods/1'],
  ['an unknown key of an HTTP trigger', 'authType: anonymous,', 'authType: anonymous, cors: true,', 'cors'],
  ['the settings of another trigger type', 'triggerType: http', 'triggerType: oss', 'sourceArn'],
  ['a trigger type that is not used here', 'triggerType: oss', 'triggerType: log', 'triggerType'],
  ['seconds, which the service does not count in', '"@every 1m"', '"@every 30s"', 'cronExpression'],
  ['a cron expression without seconds', '"@every 1m"', '"0 4 * * *"', 'cronExpression'],
  ['a timer that does not say whether it runs', ', enable: true', '', 'enable'],
  ['an event that fires for every part', 'oss:ObjectCreated:PutObject', 'oss:ObjectCreated:*', 'events/0'],
  ['a watched prefix that holds our own output', 'prefix: uploads/', "prefix: ''", 'prefix'],
  ['an OSS filter without a suffix', ', suffix: ""', '', 'suffix'],
  ['retries without end', 'maxAsyncRetryAttempts: 0', 'maxAsyncRetryAttempts: 9', 'maxAsyncRetryAttempts'],
  [
    'an event older than the service keeps it',
    'maxAsyncEventAgeInSeconds: 86400',
    'maxAsyncEventAgeInSeconds: 2592000',
    'maxAsync',
  ],
  [
    'a destination that is not deployed',
    'functions/yunbo-mps-callback"',
    'functions/yunbo-nobody"',
    'yunbo-nobody is not deployed',
  ],
  ['a wildcard inside a route', 'path: /play/*', 'path: /play/*/x', 'path'],
  ['a route by prefix without a slash', 'path: /play/*', 'path: /play*', 'path'],
  ['a route with a parameter', 'path: /v1/uploads,', 'path: "/v1/{id}",', 'path'],
  [
    'a route to a function that is not there',
    'functionName: yunbo-videos,',
    'functionName: yunbo-video,',
    'yunbo-video is no deployed',
  ],
  [
    'a route to a function without HTTP',
    'functionName: yunbo-videos,',
    'functionName: yunbo-hls-index,',
    'yunbo-hls-index is no deployed',
  ],
  ['the same route twice', 'path: /v1/uploads/*', 'path: /v1/uploads', 'routed twice'],
  [
    'a name that two functions share',
    'functionName: yunbo-videos\n',
    'functionName: yunbo-hls-index\n',
    'same functionName',
  ],
  [
    'code that nothing builds',
    './dist/functions/videos',
    './dist/functions/movies',
    'functions/movies/index.ts is missing',
  ],
  ['a layer that is not named by its version', '/versions/1', '', 'layers/0'],
  ['the dot form of env', "${env('SECRET_KEY')}", '${env.SECRET_KEY}', 'only ${env('],
  ['a variable without quotes', "${env('SECRET_KEY')}", '${env(SECRET_KEY)}', 'only ${env('],
])('%s is refused', (_what, from, to, fault) => {
  expect(checkSYaml(changed(from, to)).join('\n')).toContain(fault)
})

test('a function that breaks the published schema is named', () => {
  const fc3Schema = {
    definitions: { IHttpTriggerConfig: {}, IOssTriggerConfig: { required: ['transport'] }, ITimerTriggerConfig: {} },
    type: 'object',
    required: ['vpcConfig'],
  }
  const faults = checkSYaml(original, { fc3Schema }).join('\n')
  expect(faults).toContain('fc3 schema, yunbo-videos: must have required property')
  expect(faults).toContain('fc3 schema, yunbo-upload-notify, oss trigger')
})

const functionNames = [...original.matchAll(/functionName: yunbo-([a-z-]+)\n/g)].map(([, name = '']) => name)

test.each(functionNames)('%s is given settings it takes, and none that it does not read', (name) => {
  const given = environmentOf(name)
  const read = new Set<string>()
  const env = new Proxy(given, { get: (from, key) => read.add(String(key)) && Reflect.get(from, key) })
  expect(() => loadConfig(env, ...sectionsOf(name))).not.toThrow()
  expect(Object.keys(given).filter((variable) => !read.has(variable))).toEqual([])
})

function environmentOf(name: string): Record<string, string> {
  const variables = readSYaml(original).resources[name]?.props.environmentVariables ?? {}
  return Object.fromEntries(Object.entries(variables).map(([key, value]) => [key, String(value)]))
}

/** The sections that a function's wiring asks for, as its text says. */
function sectionsOf(name: string): SectionName[] {
  const wiring = readFileSync(new URL(`../functions/${name}/index.ts`, import.meta.url), 'utf8')
  const args = /loadConfig\(process\.env,([^)]*)\)/.exec(wiring)?.[1] ?? ''
  return [...args.matchAll(/'(\w+)'/g)].map(([, section]) => section as SectionName)
}
