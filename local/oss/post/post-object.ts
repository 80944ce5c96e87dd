import { createHash } from 'node:crypto'
import { writeXml } from '../../wire/xml.ts'
import { bucketOf } from '../bucket-operations.ts'
import { readFormCallback, runWithCallback } from '../callback/callback.ts'
import type { Context, Operation, Reply } from '../context.ts'
import type { Headers } from '../cors.ts'
import { invalidArgument, OssError } from '../errors.ts'
import { putBytes } from '../put-bytes.ts'
import { checkKey, type OssRequest } from '../request.ts'
import { ossFields } from '../s3/form.ts'
import type { ObjectName } from '../tables.ts'
import { type Form, readForm } from './form.ts'
import type { SizeRange } from './policy.ts'
import { authenticateForm } from './signature.ts'

const MAX_BODY_BYTES = 5 * 1024 ** 3

/**
 * Uploads a file with the form of a browser. Who sends it is told by the form alone; a signature in the headers or in
 * the URL is not looked at. https://help.aliyun.com/zh/oss/developer-reference/postobject
 */
export const postObject: Operation = {
  async run(context) {
    const { request } = context
    const bucket = bucketOf(context)
    context.store.bucket(bucket)
    if (Number(request.header('content-length') ?? 0) > MAX_BODY_BYTES) throw tooLarge(MAX_BODY_BYTES)
    const body = bodyOf(request)
    try {
      return await upload(context, bucket, withContentType(await readForm(body, request.header('content-type'))))
    } finally {
      // What a refusal left unread is thrown away, or the next request on this connection would never be seen.
      await body.return(undefined)
      request.message.resume()
    }
  },
}

async function upload(context: Context, bucket: string, form: Form): Promise<Reply> {
  const { request } = context
  const field = (name: string) => (name === 'bucket' ? bucket : form.fields.get(name)?.toString())
  const { caller, sizes } = authenticateForm(field, context.signing, context.now())
  const name = { bucket, key: readKey(field('key'), form) }
  const inner = context.as(caller)
  inner.authorize('oss:PutObject', name)
  const bytes = sized(form.file.bytes, sizes)
  const put = { name, headers: headersOf(ossFields(form.fields), request), bytes, operation: 'PostObject' }
  const callback = readFormCallback(form.fields)
  const { reply, passed } = await runWithCallback(inner, callback, (told) => putBytes(told, put))
  return passed ? reply : answer(reply, name, field, request)
}

/** The bytes of the request, which stays open for an answer when they are not read to their end. */
async function* bodyOf({ message, header }: OssRequest): AsyncGenerator<Buffer> {
  const declared = header('content-md5')
  const md5 = declared === undefined ? undefined : createHash('md5')
  for await (const chunk of message.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    md5?.update(chunk)
    yield chunk
  }
  const actual = md5?.digest('base64')
  if (actual !== declared) throw new OssError('InvalidDigest', { ContentMD5: declared ?? '', ClientMD5: actual ?? '' })
}

/** The type of the object: `x-oss-content-type`, else the field `Content-Type`, else what the file part says. */
function withContentType(form: Form): Form {
  const ofFile = form.file.contentType
  const type =
    form.fields.get('x-oss-content-type') ?? form.fields.get('content-type') ?? (ofFile && Buffer.from(ofFile))
  return type ? { ...form, fields: new Map([...form.fields, ['content-type', type]]) } : form
}

function readKey(key: string | undefined, { file }: Form): string {
  if (key === undefined) {
    const message =
      "Bucket POST must contain a field named 'key'. If it is specified, please check the order of the fields."
    throw invalidArgument('key', '', message)
  }
  // Some browsers give the whole path of the file.
  const fileName = file.name.replace(/^.*[/\\]/, '')
  return checkKey(key.replaceAll(/\$\{filename\}/g, () => fileName))
}

/** What of a form is about the object; conditions and copies cannot be asked for with one. */
const OBJECT_FIELDS =
  /^(?:cache-control|content-(?:type|disposition|encoding|language|md5)|expires|x-oss-(?:meta-.+|object-acl|storage-class|forbid-overwrite|tagging|server-side-(?:data-)?encryption(?:-key-id)?|traffic-limit))$/

function headersOf(fields: Form['fields'], request: OssRequest): Record<string, string> {
  const wanted = [...fields].filter(([name]) => OBJECT_FIELDS.test(name))
  const limit = request.header('x-oss-traffic-limit') ?? request.param('x-oss-traffic-limit')
  return {
    ...(limit === undefined ? {} : { 'x-oss-traffic-limit': limit }),
    ...Object.fromEntries(wanted.map(([name, value]) => [name, value.toString('latin1')])),
  }
}

async function* sized(bytes: AsyncIterable<Buffer>, { min, max }: SizeRange): AsyncGenerator<Buffer> {
  let size = 0
  for await (const chunk of bytes) {
    size += chunk.length
    if (size > max) throw tooLarge(max)
    yield chunk
  }
  if (size >= min) return
  throw new OssError('EntityTooSmall', { ProposedSize: size, MinSizeAllowed: min, EC: '0006-00000004' })
}

function tooLarge(max: number): OssError {
  return new OssError('EntityTooLarge', { MaxSizeAllowed: max, EC: '0006-00000003' })
}

function answer(
  stored: Reply,
  name: ObjectName,
  field: (name: string) => string | undefined,
  request: OssRequest,
): Reply {
  const eTag = stored.headers?.find(([header]) => header === 'ETag')?.[1] ?? ''
  const location = locationOf(name, request)
  const headers: Headers = [...(stored.headers ?? []), ['Location', location]]
  const redirect = readRedirect(field('success_action_redirect'), { ...name, etag: eTag })
  if (redirect !== undefined) return { status: 303, headers: [...(stored.headers ?? []), ['Location', redirect]] }
  const status = field('success_action_status')
  if (status === '200') return { status: 200, headers }
  if (status !== '201') return { status: 204, headers }
  const document = { Bucket: name.bucket, ETag: eTag, Key: name.key, Location: location }
  return {
    status: 201,
    headers: [['Content-Type', 'application/xml'], ...headers],
    body: writeXml('PostResponse', document),
  }
}

/** The page to go to, told what was stored; a text that is no URL counts as none. */
function readRedirect(text: string | undefined, stored: Readonly<Record<string, string>>): string | undefined {
  if (!text || !URL.canParse(text)) return undefined
  const url = new URL(text)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return undefined
  for (const name of ['bucket', 'key', 'etag']) url.searchParams.append(name, stored[name] ?? '')
  return url.href
}

/** Where the object is, in the addressing that the form used. */
function locationOf({ bucket, key }: ObjectName, { message, header }: OssRequest): string {
  const inPath = (message.url ?? '/').split('?')[0] !== '/'
  const path = encodeURIComponent(key).replaceAll('%2F', '/')
  return `http://${header('host') ?? ''}/${inPath ? `${bucket}/` : ''}${path}`
}
