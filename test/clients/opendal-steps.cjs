/** What OpenDAL is to do; one JSON object a line says how each step went. The first argument is where it is installed. */
const { randomBytes } = require('node:crypto')
const { createRequire } = require('node:module')

const { Operator } = createRequire(`${process.argv[2]}/package.json`)('opendal')
const { ENDPOINT = '', REGION = '', BUCKET = '', KEY_ID = '', KEY_SECRET = '' } = process.env
const root = `/opendal-${Date.now()}/`

/** @param {Error} reason */
const fail = (reason) => {
  throw reason
}
main().catch(fail)

async function main() {
  const own = { access_key_id: KEY_ID, access_key_secret: KEY_SECRET }
  await tryAll(
    'oss',
    new Operator('oss', { bucket: BUCKET, root, endpoint: `http://oss-${REGION}.aliyuncs.com`, ...own }),
  )
  const keys = { access_key_id: KEY_ID, secret_access_key: KEY_SECRET }
  await tryAll('s3', new Operator('s3', { bucket: BUCKET, root, endpoint: ENDPOINT, region: REGION, ...keys }))
}

/** @param {string} service @param {any} op */
async function tryAll(service, op) {
  const big = randomBytes(30_000_000)
  const key = 'a b+c/中文.txt'
  /** @type {Record<string, () => Promise<void>>} */
  const steps = {
    'writes and reads': async () => {
      await op.write(key, Buffer.from('hello'))
      same(String(await op.read(key)), 'hello')
    },
    'looks at an object': async () => same(Number((await op.stat(key)).contentLength), 5),
    'reads a range': async () => same(String(await op.read(key, { offset: 1n, size: 3n })), 'ell'),
    'writes a large object in parts': async () => {
      const writer = await op.writer('big', { chunk: 8n << 20n })
      for (let at = 0; at < big.length; at += 1 << 20) await writer.write(big.subarray(at, at + (1 << 20)))
      await writer.close()
      same(Buffer.compare(await op.read('big'), big), 0)
    },
    copies: async () => {
      await op.copy(key, 'copy')
      same(String(await op.read('copy')), 'hello')
    },
    lists: async () => {
      const entries = await op.list('', { recursive: true })
      const names = entries.map((/** @type {any} */ one) => one.path())
      same(names.filter((/** @type {string} */ one) => !one.endsWith('/')).sort(), [key, 'big', 'copy'])
    },
    'signs URLs': async () => {
      const put = await op.presignWrite('signed', 600)
      await fetch(reachable(put.url), { method: put.method, headers: headersOf(put), body: Buffer.from('by url') })
      const get = await op.presignRead('signed', 600)
      same(await (await fetch(reachable(get.url), { headers: headersOf(get) })).text(), 'by url')
    },
    'is told what is missing': async () => {
      const error = await op.read('nothing').catch((/** @type {Error} */ reason) => reason)
      same(/NotFound/.test(String(error)), true)
    },
    'removes everything': async () => {
      await op.removeAll('')
      same((await op.list('', { recursive: true })).length, 0)
    },
  }
  for (const [name, step] of Object.entries(steps)) {
    const error = await step().then(
      () => undefined,
      (/** @type {Error} */ reason) => String(reason),
    )
    process.stdout.write(`${JSON.stringify({ name: `${service} ${name}`, error })}\n`)
  }
}

/** A URL of the service's own domain, at the local one: the signature does not cover where the bucket stands. */
function reachable(/** @type {string} */ url) {
  return url.replace(`http://${BUCKET}.oss-${REGION}.aliyuncs.com`, `${ENDPOINT}/${BUCKET}`)
}

/** @param {{ headers: Record<string, string> }} request */
function headersOf({ headers }) {
  const { host: _, 'content-length': __, ...rest } = headers
  return rest
}

/** @param {unknown} actual @param {unknown} wanted */
function same(actual, wanted) {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(wanted)]
  if (a !== b) throw new Error(`${a} is not ${b}`)
}
