import { readXml, XmlError } from '../../wire/xml.ts'
import { readSmallBody } from '../bodies.ts'
import { bucketOf } from '../bucket-operations.ts'
import type { Content, Context, Operation, Reply } from '../context.ts'
import type { Headers } from '../cors.ts'
import { OssError } from '../errors.ts'
import { overrideHeaders } from '../metadata.ts'
import { objectOf } from '../object-operations.ts'
import { putBytes } from '../put-bytes.ts'
import { collectBody, readObject } from '../read-object.ts'
import { checkBucketName, checkKey, type OssRequest } from '../request.ts'
import type { ObjectName } from '../tables.ts'
import { checkImageBytes, type Processed, processImage } from './image.ts'
import { type Action, ActionParameters, parseProcess } from './parse.ts'
import { readSnapshot, takeSnapshot } from './video.ts'

/** GetObject, which answers what becomes of the object where `x-oss-process` says so. */
export function withProcessing(operation: Operation): Operation {
  return {
    ...operation,
    async run(context) {
      const process = context.request.param('x-oss-process')
      if (!process) return await operation.run(context)
      const { processed, source } = await processSource(context, process, conditionsOf(context.request))
      if (processed === undefined) return source
      const headers: Headers = [...sourceHeaders(source), ['Content-Type', processed.contentType]]
      return {
        status: 200,
        headers: overrideHeaders(headers, context.request, context.caller !== undefined),
        body: contentOf(processed.bytes),
      }
    },
  }
}

/**
 * Processes an object and stores the result.
 * https://help.aliyun.com/zh/oss/developer-reference/postprocesstask and its `sys/saveas`
 */
export const processObject: Operation = {
  action: 'oss:PostProcessTask',
  async run(context) {
    const asked = context.request.param('x-oss-process') ?? ''
    if (/^(?:csv|json)\//.test(asked)) throw new OssError('NotImplemented', { Parameters: asked.slice(0, 64) })
    const text = readBody(await readSmallBody(context.request))
    if (text === '') throw new OssError('InvalidRequest', {}, 'The process instruction is empty.')
    const [process = '', save, ...others] = text.split('|')
    const target = readTarget(save ?? '', bucketOf(context))
    if (target === undefined || others.length > 0) {
      throw new OssError('InvalidArgument', { ArgumentName: 'x-oss-process' }, 'Operation is not supported.')
    }
    context.authorize('oss:GetObject', objectOf(context))
    context.authorize('oss:PutObject', target.name)
    const { processed } = await processSource(context, process, {})
    if (processed === undefined) throw new OssError('InternalError')
    const headers = { 'content-type': processed.contentType }
    await putBytes(context, { name: target.name, headers, bytes: pieces(processed.bytes), operation: 'PutObject' })
    return saved(target, processed.bytes.length)
  },
}

async function* pieces(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes
}

function readBody(body: string): string {
  const [, encoded = ''] = /^x-oss-process=(.*)$/s.exec(body.trim()) ?? []
  try {
    // Not as a form: several SDKs write base64 as it is, with `+`.
    return decodeURIComponent(encoded)
  } catch {
    return encoded
  }
}

interface Target {
  readonly name: ObjectName
  /** Whether the request names the bucket. */
  readonly explicit: boolean
}

function readTarget(text: string, ownBucket: string): Target | undefined {
  const { kind, actions } = { kind: text.slice(0, 4), actions: text.slice(4).split(',') }
  if (kind !== 'sys/' || actions[0] !== 'saveas') return undefined
  const parameters = new ActionParameters({ name: 'saveas', parameters: actions.slice(1) })
  const key = parameters.decoded('o')
  if (key === undefined) throw parameters.missing('o')
  const bucket = parameters.decoded('b')
  return { name: { bucket: checkBucketName(bucket ?? ownBucket), key: checkKey(key) }, explicit: bucket !== undefined }
}

function saved({ name, explicit }: Target, bytes: number): Reply {
  const lines = [
    `"bucket": ${JSON.stringify(explicit ? name.bucket : '')}`,
    `"fileSize": ${bytes}`,
    `"object": ${JSON.stringify(name.key)}`,
    '"status": "OK"',
  ]
  return {
    status: 200,
    headers: [['Content-Type', 'application/json']],
    body: `{\n    ${lines.join(',\n    ')}}`,
  }
}

/** What becomes of the object of a request; without a result the source's own answer stands, such as 304. */
async function processSource(
  context: Context,
  text: string,
  headers: Readonly<Record<string, string | undefined>>,
): Promise<{ readonly processed: Processed | undefined; readonly source: Reply }> {
  const { kind, actions } = parseProcess(styled(context, text))
  const [action] = actions
  if (kind === 'image') return await processImageOf(context, actions, headers)
  if (kind !== 'video' || action === undefined || actions.length > 1) {
    throw new OssError('InvalidArgument', { ArgumentName: 'x-oss-process' }, 'Operation is not supported.')
  }
  const snapshot = readSnapshot(action)
  const name = objectOf(context)
  const source = await readObject(context, name, headers)
  if (typeof source.body === 'object') source.body.release()
  if (source.status !== 200) return { source, processed: undefined }
  const eTag = source.headers?.find(([header]) => header === 'ETag')?.[1]
  const read = (range: string | undefined) =>
    readObject(context, name, { range, 'x-oss-range-behavior': 'standard', 'if-match': eTag })
  const processed = await whileConnected(context.request, (client) =>
    context.processing.run(client, async () => {
      const ffmpeg = await context.processing.ffmpeg()
      if (ffmpeg === undefined) throw new OssError('NotImplemented', { Program: 'ffmpeg' })
      return await takeSnapshot(snapshot, ffmpeg, read, client)
    }),
  )
  return { source, processed }
}

const IMAGE_TIMEOUT_MS = 60_000

async function processImageOf(
  context: Context,
  actions: readonly Action[],
  headers: Readonly<Record<string, string | undefined>>,
): Promise<{ readonly processed: Processed | undefined; readonly source: Reply }> {
  const name = objectOf(context)
  const readImage = async (key: string) => {
    const other = { bucket: name.bucket, key: checkKey(key) }
    context.authorize('oss:GetObject', other)
    return await collectImage(await readObject(context, other))
  }
  return await whileConnected(context.request, (client) =>
    context.processing.run(client, async () => {
      const source = await readObject(context, name, headers)
      if (source.status !== 200) return { source, processed: undefined }
      const signal = AbortSignal.any([client, AbortSignal.timeout(IMAGE_TIMEOUT_MS)])
      return { source, processed: await processImage(await collectImage(source), actions, readImage, signal) }
    }),
  )
}

async function collectImage(source: Reply): Promise<Buffer> {
  try {
    if (typeof source.body === 'object') checkImageBytes(source.body.bytes)
    return await collectBody(source)
  } finally {
    if (typeof source.body === 'object') source.body.release()
  }
}

/** `style/name` stands for what the bucket keeps under that name. */
function styled({ request, store }: Context, text: string): string {
  if (!text.startsWith('style/')) return text
  const name = text.slice('style/'.length)
  const document = store.findBucket(request.bucket ?? '')?.settings?.[`style/${name}`]
  if (document === undefined) throw new OssError('NoSuchStyle', { StyleName: name.slice(0, 64) })
  try {
    return readXml(document, 'Style').value('Content') ?? ''
  } catch (error) {
    if (error instanceof XmlError) throw new OssError('InternalError')
    throw error
  }
}

/** Runs as long as the client is there; its leaving aborts the signal. */
async function whileConnected<Result>(
  { message }: OssRequest,
  run: (client: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const gone = new AbortController()
  const abort = () => gone.abort()
  message.socket.once('close', abort)
  try {
    return await run(gone.signal)
  } finally {
    message.socket.off('close', abort)
  }
}

function conditionsOf({ header }: OssRequest): Readonly<Record<string, string | undefined>> {
  const names = ['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since']
  return Object.fromEntries(names.map((name) => [name, header(name)]))
}

const KEPT = [
  'ETag',
  'Last-Modified',
  'Cache-Control',
  'Expires',
  'x-oss-version-id',
  'x-oss-object-type',
  'x-oss-storage-class',
]

/** The ETag is that of the source, whatever was made of it: https://help.aliyun.com/zh/oss/user-guide/faq-2 */
function sourceHeaders({ headers = [] }: Reply): Headers {
  return headers.filter(([name]) => KEPT.includes(name))
}

function contentOf(bytes: Buffer): Content {
  return {
    bytes: bytes.length,
    release() {},
    async send(sink) {
      sink.write(bytes)
    },
  }
}
