import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { openBrowser } from '../e2e/browser.ts'
import { BUCKET, type OpenOss, openOss } from '../local/oss/open.ts'

/* The browser build of ali-oss in a real browser, on a page of another origin than the service's. */
const BUILD = createRequire(import.meta.url).resolve('ali-oss/dist/aliyun-oss-sdk.min.js')

let oss: OpenOss
let browser: Browser
let site: { url: string; close(): Promise<void> }
beforeAll(async () => {
  site = await serve(await readFile(BUILD))
  oss = await openOss()
  await oss.client('V4').putBucketCORS(BUCKET, [
    {
      allowedOrigin: site.url,
      allowedMethod: ['GET', 'PUT', 'POST', 'DELETE', 'HEAD'],
      allowedHeader: '*',
      exposeHeader: ['ETag', 'x-oss-request-id', 'x-oss-hash-crc64ecma', 'x-oss-meta-uid'],
    },
  ])
  browser = await openBrowser()
})
afterAll(async () => {
  await browser.close()
  await oss.close()
  await site.close()
})

/** A page with the client, and the keys of a session as `options`. */
async function openPage(authorizationV4: boolean): Promise<Page> {
  const context = await browser.newContext()
  onTestFinished(() => context.close())
  const page = await context.newPage()
  await page.goto(site.url)
  const session = oss.credentials.issue({ role: 'page', sessionName: 'page', durationSeconds: 900 })
  const options = {
    endpoint: oss.service.url,
    sldEnable: true,
    bucket: BUCKET,
    region: 'oss-cn-hangzhou',
    authorizationV4,
    accessKeyId: session.accessKeyId,
    accessKeySecret: session.accessKeySecret,
    stsToken: session.securityToken,
    refreshSTSTokenInterval: 3_600_000,
  }
  await page.evaluate(`globalThis.client = new OSS(${JSON.stringify(options)})`)
  return page
}

/** Runs a body of an async function in the page, where `client` and `OSS` are. */
function run<Result>(page: Page, body: string): Promise<Result> {
  return page.evaluate(`(async () => { ${body} })()`)
}

describe.each([
  ['V1', false],
  ['V4', true],
] as const)('in a page, with signatures of version %s', (version, authorizationV4) => {
  test('an object is put, read, listed, signed and deleted', async () => {
    const page = await openPage(authorizationV4)
    const found = await run<object>(
      page,
      `const key = ${JSON.stringify(`${version}/中文 & plus+.txt`)}
       const put = await client.put(key, new Blob(['hello']), { meta: { uid: 1 } })
       const got = await client.get(key)
       const head = await client.head(key)
       const listed = await client.listV2({ prefix: ${JSON.stringify(`${version}/`)}, 'max-keys': 10 })
       const url = ${authorizationV4 ? `await client.signatureUrlV4('GET', 60, {}, key)` : 'client.signatureUrl(key)'}
       const fetched = await (await fetch(url)).text()
       await client.delete(key)
       const gone = await client.head(key).catch((error) => error.code)
       return { status: put.res.status, got: new TextDecoder().decode(got.content), meta: head.meta,
         names: listed.objects.map(({ name }) => name), fetched, gone }`,
    )
    expect(found).toEqual({
      status: 200,
      got: 'hello',
      meta: { uid: '1' },
      names: [`${version}/中文 & plus+.txt`],
      fetched: 'hello',
      gone: 'NoSuchKey',
    })
  })

  test('an upload in parts goes on where it was stopped', async () => {
    const page = await openPage(authorizationV4)
    const sent: string[] = []
    page.on('request', (request) => {
      const number = new URL(request.url()).searchParams.get('partNumber')
      if (request.method() === 'PUT' && number) sent.push(number)
    })
    const key = `${version}/large.bin`
    const { done, size } = await run<{ done: number[]; size: string }>(
      page,
      `const bytes = new Uint8Array(500 * 1024)
       for (let at = 0; at < bytes.length; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536))
       const file = new File([bytes], 'large.bin')
       const key = ${JSON.stringify(key)}
       let checkpoint
       await client.multipartUpload(key, file, { partSize: 102400, parallel: 1, progress: (share, reached) => {
         if (reached) checkpoint = structuredClone({ ...reached, file: undefined })
         if (share >= 0.4 && share < 1) client.cancel()
       } }).catch((error) => { if (error.name !== 'cancel') throw error })
       const done = checkpoint.doneParts.map(({ number }) => number)
       client.resetCancelFlag()
       await client.multipartUpload(key, file, { checkpoint: { ...checkpoint, file }, parallel: 1 })
       const { res } = await client.head(key)
       return { done, size: res.headers['content-length'] }`,
    )
    expect(done.length).toBeGreaterThan(0)
    expect(done.length).toBeLessThan(5)
    expect(size).toBe(String(500 * 1024))
    // What was done before is not sent again.
    for (const number of done) expect(sent.filter((one) => one === String(number))).toHaveLength(1)
    const headers = (await oss.client('V4').head(key)).res.headers as Record<string, string>
    expect(headers['x-oss-object-type']).toBe('Multipart')
  })
})

test('a page of an origin without a rule gets nothing', async () => {
  const other = await serve(await readFile(BUILD))
  onTestFinished(() => other.close())
  const page = await openPage(true)
  const keys = await page.evaluate('JSON.stringify(client.options)')
  await page.goto(other.url)
  const outcome = await run<string>(
    page,
    `const own = new OSS(${keys}); return own.put('x', new Blob(['x'])).then(() => 'stored', (error) => error.code ?? error.name)`,
  )
  expect(outcome).not.toBe('stored')
  await expect(oss.client('V4').head('x')).rejects.toMatchObject({ status: 404 })
})

/** A server of one page with a script. */
async function serve(script: Buffer): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    if (request.url === '/sdk.js') return void response.setHeader('content-type', 'text/javascript').end(script)
    response
      .setHeader('content-type', 'text/html')
      .end('<!doctype html><meta charset=utf-8><script src=/sdk.js></script>')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    url: `http://localhost:${typeof address === 'object' ? address?.port : 0}`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}
