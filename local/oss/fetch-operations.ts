import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import { writeXml, type XmlElement } from '../wire/xml.ts'
import { readXmlBody } from './bodies.ts'
import { bucketOf } from './bucket-operations.ts'
import { runWithCallback } from './callback/callback.ts'
import { isForbidden, readCallback } from './callback/settings.ts'
import { type Context, type Operation, xmlReply } from './context.ts'
import { invalidArgument, OssError } from './errors.ts'
import type { FetchOutcome } from './fetches.ts'
import { putBytes } from './put-bytes.ts'
import type { FetchRecord } from './records.ts'
import { checkKey, newRequestId } from './request.ts'

const SILENCE_MS = 60_000

/**
 * Brings an object from a URL while nobody waits. The names are those that the vendor's SDKs for Java, Python, Go and
 * Node send and read; the API reference has no page about it any more.
 */
export const postAsyncFetchTask: Operation = {
  async run(context) {
    const bucket = bucketOf(context)
    const { store, request } = context
    store.bucket(bucket)
    const task = readTask(await readXmlBody(request, 'AsyncFetchTaskConfiguration'))
    const name = { bucket, key: task.object }
    context.authorize('oss:PutObject', name)
    if (task.ignoreSameKey && store.findObject(name) !== undefined) {
      throw new OssError('ObjectAlreadyExists', { Key: name.key })
    }
    const id = newRequestId()
    await store.fetches.start(bucket, id, task, (signal) => fetchObject(context, bucket, task, signal))
    return xmlReply(writeXml('AsyncFetchTaskResult', { TaskId: id }))
  },
}

export const getAsyncFetchTask: Operation = {
  action: 'oss:GetAsyncFetchTask',
  run(context) {
    const bucket = bucketOf(context)
    context.store.bucket(bucket)
    const id = context.request.header('x-oss-task-id')
    if (!id) throw new OssError('MissingArgument', { ArgumentName: 'x-oss-task-id' })
    const task = context.store.fetches.find(bucket, id)
    if (task === undefined) throw new OssError('NoSuchAsyncFetchTask', { TaskId: id.slice(0, 64) })
    const { url, object, host = '', contentMd5 = '', callback = '', storageClass, ignoreSameKey } = task
    const info = {
      Url: url,
      Object: object,
      Host: host,
      ContentMD5: contentMd5,
      Callback: callback,
      StorageClass: storageClass,
      IgnoreSameKey: ignoreSameKey,
    }
    return xmlReply(
      writeXml('AsyncFetchTaskInfo', { TaskId: id, State: task.state, ErrorMsg: task.error, TaskInfo: info }),
    )
  },
}

function readTask(document: XmlElement): FetchRecord {
  const optional = (element: string) => document.value(element)?.trim() || undefined
  const url = optional('Url') ?? ''
  readUrl(url)
  const [host, contentMd5, callback] = [optional('Host'), optional('ContentMD5'), optional('Callback')]
  const storageClass = optional('StorageClass')
  if (callback !== undefined) readCallback(callback, undefined)
  return {
    url,
    object: checkKey(document.value('Object') ?? ''),
    ...(host !== undefined && { host }),
    ...(contentMd5 !== undefined && { contentMd5 }),
    ...(callback !== undefined && { callback }),
    ...(storageClass !== undefined && { storageClass }),
    ignoreSameKey: optional('IgnoreSameKey')?.toLowerCase() !== 'false',
    state: 'Running',
    error: '',
  }
}

function readUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw invalidArgument('Url', text.slice(0, 256), 'The url of the fetch is not valid.')
  }
  if (isForbidden(url.hostname)) throw invalidArgument('Url', text.slice(0, 256), 'Private addresses are not fetched.')
  return url
}

async function fetchObject(
  context: Context,
  bucket: string,
  task: FetchRecord,
  signal: AbortSignal,
): Promise<FetchOutcome> {
  const callback = task.callback === undefined ? undefined : readCallback(task.callback, undefined)
  try {
    await runWithCallback(context, callback, (inner) => store(inner, bucket, task, signal))
    return { state: 'Success', error: '' }
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error)
    const stored = error instanceof OssError && error.code === 'CallbackFailed'
    return { state: stored ? 'FetchSuccessCallbackFailed' : 'Failed', error: said || 'The fetch failed.' }
  }
}

async function store(context: Context, bucket: string, task: FetchRecord, signal: AbortSignal) {
  const source = await open(readUrl(task.url), task.host, signal)
  try {
    if (source.statusCode !== 200) throw new Error(`The source answered with status ${source.statusCode}.`)
    const type = source.headers['content-type']
    const headers = {
      ...(type !== undefined && { 'content-type': type }),
      ...(task.contentMd5 !== undefined && { 'content-md5': task.contentMd5 }),
      ...(task.storageClass !== undefined && { 'x-oss-storage-class': task.storageClass }),
      ...(task.ignoreSameKey && { 'x-oss-forbid-overwrite': 'true' }),
    }
    return await putBytes(context, {
      name: { bucket, key: task.object },
      headers,
      bytes: source,
      operation: 'PutObject',
    })
  } finally {
    source.destroy()
  }
}

/** The head of an answer, which is read as the object is stored; redirections are not followed. */
function open(url: URL, host: string | undefined, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = { host: host ?? url.host, 'user-agent': 'aliyun-oss-fetch' }
    // https://www.rfc-editor.org/rfc/rfc6761#section-6.3, which not every resolver follows.
    const own = url.hostname.endsWith('.localhost') ? { hostname: '127.0.0.1' } : {}
    const options = { headers, signal, agent: false as const, ...own }
    const request = url.protocol === 'https:' ? https.get(url, options) : http.get(url, options)
    request.setTimeout(SILENCE_MS, () => request.destroy(new Error('The source was silent for too long.')))
    request.on('error', reject)
    request.on('response', resolve)
  })
}
