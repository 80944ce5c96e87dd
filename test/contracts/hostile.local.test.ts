import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { strToU8, zipSync } from 'fflate'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Local, startLocal } from '../../local/index.ts'
import { fc3Sdk, localConfig } from '../local/fc/sdk.ts'
import { flip, type RawRequest, send, signedV1 } from '../local/oss/raw.ts'

/*
 * What strangers and broken clients send: the service's own error, a process that goes on, and not one file outside of
 * the data folder. Only against the local cloud: the real one is not ours to attack.
 */
let parent: string
let before: readonly string[]
let local: Local
const ports = { oss: 0, tablestore: 0, sts: 0, fc: 0, mns: 0, mps: 0 }

beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'hostile-'))
  await mkdir(join(parent, 'around'))
  await writeFile(join(parent, 'around', 'secret'), 'untouched')
  const dataDir = join(parent, 'around', 'data')
  before = await outside()
  local = await startLocal({ port: 0, dataDir, bare: { buckets: ['hostile'], instance: 'hostile' } })
  const { oss, tablestore, sts, fc, mns, mps } = local.cloud
  ports.oss = Number(new URL(oss.endpoint).port)
  ports.tablestore = Number(new URL(tablestore.endpoint).port)
  ports.mns = Number(new URL(mns.endpoint).port)
  for (const [name, { endpoint }] of Object.entries({ sts, fc, mps })) {
    ports[name as 'sts'] = Number(endpoint.split(':')[1])
  }
})
afterAll(async () => {
  const after = await outside()
  await local.close()
  await rm(parent, { recursive: true })
  // After everything below has been tried.
  expect(after).toEqual(before)
})

/** Every file around the data folder, with what is beside the folder of the test. */
async function outside(): Promise<readonly string[]> {
  const around = await readdir(parent, { recursive: true })
  const beside = await readdir(dirname(parent))
  const suspicious = beside.filter((name) => /^(escape|passwd|secret)/.test(name))
  return [...around.filter((name) => !name.startsWith('around/data')), ...suspicious].sort()
}

const keys = () => local.cloud

async function oss(request: RawRequest) {
  const { status, code } = await send(ports.oss, request)
  return [status, code]
}

/** A request for a key exactly as it is spelt in the path. */
function signedFor(method: string, path: string, key: string, body?: string): RawRequest {
  const request = { method, path: `/hostile/${path}`, ...(body === undefined ? {} : { body }) }
  return signedV1(keys(), request, `/hostile/${key}`)
}

describe('OSS', () => {
  const get: RawRequest = { path: '/hostile/x' }
  const minutes = (count: number) => new Date(Date.now() + count * 60_000).toUTCString()
  const spoilt = () => {
    const { headers = {}, ...request } = signedV1(keys(), get, '/hostile/x')
    const [name, signature = ''] = (headers.authorization ?? '').split(':')
    return { ...request, headers: { ...headers, authorization: `${name}:${flip(signature)}` } }
  }

  test.each<[string, () => RawRequest, unknown[]]>([
    ['an unsigned put', () => ({ method: 'PUT', path: '/hostile/x', body: 'x' }), [403, 'AccessDenied']],
    ['a wrong signature', spoilt, [403, 'SignatureDoesNotMatch']],
    [
      'a key that nobody has',
      () => signedV1({ ...keys(), accessKeyId: 'LTAInobody' }, get, '/hostile/x'),
      [403, 'InvalidAccessKeyId'],
    ],
    [
      'a clock that is behind',
      () => signedV1(keys(), { ...get, headers: { date: minutes(-16) } }, '/hostile/x'),
      [403, 'RequestTimeTooSkewed'],
    ],
    [
      'a clock that is ahead',
      () => signedV1(keys(), { ...get, headers: { date: minutes(16) } }, '/hostile/x'),
      [403, 'RequestTimeTooSkewed'],
    ],
    ['no date', () => signedV1(keys(), { ...get, headers: { date: '' } }, '/hostile/x'), [403, 'AccessDenied']],
    ['a signature of no kind', () => ({ ...get, headers: { authorization: 'Basic eDp5' } }), [400, 'InvalidArgument']],
    ['a path that is no UTF-8', () => signedFor('GET', '%ff%fe', '\ufffd'), [400, 'InvalidArgument']],
    ['half a percent code', () => signedFor('GET', '%2', '%2'), [400, 'InvalidArgument']],
    ['a bucket called ..', () => ({ path: '/../etc/passwd' }), [400, 'InvalidBucketName']],
    ['a bucket called %2e%2e', () => ({ path: '/%2e%2e/etc/passwd' }), [400, 'InvalidBucketName']],
    [
      'part 10,001',
      () =>
        signedV1(
          keys(),
          { method: 'PUT', path: `/hostile/x?partNumber=10001&uploadId=${'A'.repeat(32)}`, body: 'x' },
          `/hostile/x?partNumber=10001&uploadId=${'A'.repeat(32)}`,
        ),
      [400, 'InvalidArgument'],
    ],
    [
      'an upload that leads elsewhere',
      () => signedV1(keys(), { path: '/hostile/x?uploadId=..%2F..%2Fsecret' }, '/hostile/x?uploadId=../../secret'),
      [404, 'NoSuchUpload'],
    ],
    [
      'a copy of a file of the machine',
      () =>
        signedV1(
          keys(),
          { method: 'PUT', path: '/hostile/x', headers: { 'x-oss-copy-source': '/hostile/../../../../etc/passwd' } },
          '/hostile/x',
        ),
      [404, 'NoSuchKey'],
    ],
    ['an XML bomb', () => deletion(bomb()), [400, 'MalformedXML']],
    ['XML that names a file', () => deletion(FILE_IN_XML), [400, 'MalformedXML']],
  ])('refuses %s', async (_name, request, answer) => {
    expect(await oss(request())).toEqual(answer)
  })

  const long = '\u{1f3ac}'.repeat(255)
  test.each([
    ['a way up', '../../../../escape', '../../../../escape'],
    ['an encoded way up', '%2e%2e/%2e%2e/%2e%2e/escape', '../../../escape'],
    ['a way up in one piece', '..%2f..%2f..%2fescape', '../../../escape'],
    ['a way up for another system', '..%5c..%5cescape', '..\\..\\escape'],
    ['dots', 'a/./../b', 'a/./../b'],
    ['1,020 bytes of emoji', encodeURIComponent(long), long],
    ['line ends', 'a%0d%0ab', 'a\r\nb'],
    ['a device', 'dev/null', 'dev/null'],
  ])('takes %s as a key like any other', async (_name, path, key) => {
    expect(await oss(signedFor('PUT', path, key, 'mine'))).toEqual([200, undefined])
    const { status, text } = await send(ports.oss, signedFor('GET', path, key))
    expect([status, text]).toEqual([200, 'mine'])
    expect(await oss(signedFor('DELETE', path, key))).toEqual([204, undefined])
  })

  test.each([
    ['NUL', 'a%00b', 'a\0b'],
    ['1,024 bytes', 'k'.repeat(1024), 'k'.repeat(1024)],
    ['a slash first', '%2fetc/passwd', '/etc/passwd'],
    ['a backslash first', '%5cetc', '\\etc'],
  ])('takes no key with %s', async (_name, path, key) => {
    expect(await oss(signedFor('PUT', path, key, 'x'))).toEqual([400, 'InvalidObjectName'])
  })
})

function deletion(body: string): RawRequest {
  const md5 = createHash('md5').update(body).digest('base64')
  const request = { method: 'POST', path: '/hostile?delete', headers: { 'content-md5': md5 }, body }
  return signedV1(keys(), request, '/hostile/?delete')
}

const FILE_IN_XML =
  '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&e;</Key></Object></Delete>'

function bomb(): string {
  const levels = Array.from({ length: 9 }, (_, n) => `<!ENTITY e${n + 1} "${`&e${n};`.repeat(10)}">`)
  return `<!DOCTYPE x [<!ENTITY e0 "ha">${levels.join('')}]><Delete><Object><Key>&e9;</Key></Object></Delete>`
}

describe('Tablestore', () => {
  const signedHeaders = {
    'x-ots-apiversion': '2015-12-31',
    'x-ots-instancename': 'hostile',
    'x-ots-accesskeyid': 'LTAInobody',
    'x-ots-contentmd5': '1B2M2Y8AsgTpgAmY7PhCfg==',
  }
  test.each<[string, RawRequest, string]>([
    ['nothing of a signature', { method: 'POST', path: '/ListTable' }, 'OTSParameterInvalid'],
    [
      'keys that nobody has',
      {
        method: 'POST',
        path: '/ListTable',
        headers: { ...signedHeaders, 'x-ots-date': new Date().toISOString(), 'x-ots-signature': 'x' },
      },
      'OTSAuthFailed',
    ],
    ['a way up', { method: 'POST', path: '/../../etc/passwd', body: Buffer.alloc(100, 0xff) }, 'OTS'],
    ['another method', { method: 'DELETE', path: '/ListTable' }, 'OTS'],
  ])('refuses %s', async (_name, request, code) => {
    const answer = await send(ports.tablestore, request)
    expect(Math.floor(answer.status / 100)).toBe(4)
    expect(answer.text).toContain(code)
  })
})

describe('the OpenAPI', () => {
  test.each<[string, 'sts' | 'fc' | 'mps', RawRequest]>([
    ['an unsigned call of STS', 'sts', { method: 'POST', path: '/?Action=AssumeRole&Version=2015-04-01' }],
    ['noise for STS', 'sts', { method: 'POST', path: '/%00%ff', body: Buffer.alloc(1000, 0xfe) }],
    ['an unsigned call of FC', 'fc', { path: '/2023-03-30/functions' }],
    ['a way up in FC', 'fc', { path: '/2023-03-30/functions/..%2f..%2f..%2fetc%2fpasswd' }],
    ['a broken percent code for FC', 'fc', { path: '/2023-03-30/functions/%ff' }],
    ['an unsigned call of MPS', 'mps', { method: 'POST', path: '/?Action=SubmitJobs&Version=2014-06-18' }],
  ])('refuses %s', async (_name, service, request) => {
    const { status } = await send(ports[service], request)
    expect(status).toBeGreaterThanOrEqual(400)
    expect(status).toBeLessThan(500)
  })

  const client = () =>
    new fc3Sdk.default(localConfig(ports.fc, keys()) as ConstructorParameters<typeof fc3Sdk.default>[0])
  const create = (functionName: string, files: Record<string, Uint8Array>) => {
    const zipFile = Buffer.from(zipSync(files)).toString('base64')
    const code = new fc3Sdk.InputCodeLocation({ zipFile })
    const body = new fc3Sdk.CreateFunctionInput({ functionName, runtime: 'nodejs20', handler: 'index.handler', code })
    return client().createFunction(new fc3Sdk.CreateFunctionRequest({ body }))
  }

  test.each([
    ['a package that writes above itself', 'fine', { '../../../../escape.js': strToU8('x') }],
    ['a package that writes to the root', 'fine', { '/tmp/escape.js': strToU8('x') }],
    ['a function with a way up for a name', '../../escape', { 'index.js': strToU8('x') }],
  ])('refuses %s', async (_name, functionName, files) => {
    await expect(create(functionName, files)).rejects.toMatchObject({ statusCode: 400 })
  })
})

test.each<[string, string, number[]]>([
  ['a queue with a way up for a name', '/queues/..%2f..%2fescape', [400, 403, 404]],
  ['a path of nothing', '/%00', [400, 403, 404]],
])('MNS refuses %s', async (_name, path, statuses) => {
  const { status } = await send(ports.mns, { method: 'PUT', path, body: '<Queue/>' })
  expect(statuses).toContain(status)
})

describe.each(['oss', 'tablestore', 'sts', 'fc', 'mns', 'mps'] as const)('%s goes on', (service) => {
  const alive = async () => expect((await send(ports[service], { path: '/' })).status).toBeGreaterThan(0)

  test('after headers without an end', async () => {
    const answer = await send(ports[service], { path: '/', headers: { 'x-long': 'x'.repeat(100_000) } }).catch(
      (error: NodeJS.ErrnoException) => error.code,
    )
    // Whoever still sends may find the connection closed before it has read the answer.
    if (typeof answer === 'object') expect([400, 413, 431]).toContain(answer.status)
    else expect(['ECONNRESET', 'EPIPE']).toContain(answer)
    await alive()
  })

  test.each([
    ['noise', Buffer.from('\x16\x03\x01 not HTTP at all\r\n\r\n')],
    [
      'two lengths',
      Buffer.from('PUT /hostile/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx'),
    ],
    [
      'length and chunks',
      Buffer.from('PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
    ],
    ['a header within a header', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n bad: folded\r\n\r\n')],
  ])('after %s', async (_name, bytes) => {
    expect(await say(ports[service], bytes)).toMatch(/^HTTP\/1\.1 4|^$/)
    await alive()
  })

  test('while two hundred others do not come to the end of their headers', async () => {
    const slow = Array.from({ length: 200 }, () => connect(ports[service], '127.0.0.1'))
    onTestFinished(() => {
      for (const socket of slow) socket.destroy()
    })
    for (const socket of slow) {
      socket.on('error', () => {})
      socket.write('GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ')
    }
    for (let turn = 0; turn < 3; turn += 1) {
      for (const socket of slow) socket.write('.')
      await alive()
    }
  })

  test('when a body ends in the middle', async () => {
    const head = 'PUT /hostile/half HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nhalf'
    const socket = connect(ports[service], '127.0.0.1', () => socket.write(head, () => socket.destroy()))
    await new Promise((resolve) => socket.once('close', resolve))
    await alive()
  })
})

/** Sends bytes and gives what comes back until the connection ends. */
function say(port: number, bytes: Buffer): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    const socket = connect(port, '127.0.0.1', () => socket.end(bytes))
    socket.on('data', (part: Buffer) => {
      text += part.toString()
    })
    socket.on('error', () => resolve(text))
    socket.on('close', () => resolve(text))
  })
}
