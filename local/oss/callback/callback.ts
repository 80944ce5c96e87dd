import type { ObjectEvent } from '../../wire/object-event.ts'
import type { Context, Operation, Reply } from '../context.ts'
import { OssError } from '../errors.ts'
import { identifyImage } from '../process/identify.ts'
import { readWhole } from '../read-object.ts'
import type { OssRequest } from '../request.ts'
import { sendCallback } from './send.ts'
import { type Callback, readCallback } from './settings.ts'

/** An upload that tells somebody else when it is done, where its request asks for that. */
export function withCallback(operation: Operation): Operation {
  return {
    ...operation,
    async run(context) {
      const callback = readRequestCallback(context.request)
      return (await runWithCallback(context, callback, async (inner) => operation.run(inner))).reply
    },
  }
}

/** What an upload was answered. */
interface Told {
  readonly reply: Reply
  /** Whether that is what the receiver of the callback said. */
  readonly passed: boolean
}

/**
 * Runs an upload, then calls back and passes the answer on. That the call fails is answered with status 203; the object
 * stays stored. https://help.aliyun.com/zh/oss/developer-reference/callback
 */
export async function runWithCallback(
  context: Context,
  callback: Callback | undefined,
  run: (context: Context) => Promise<Reply>,
): Promise<Told> {
  if (callback === undefined) return { reply: await run(context), passed: false }
  const events: ToldEvent[] = []
  const emit = (event: ToldEvent) => {
    events.push(event)
    context.emit(event)
  }
  const stored = await run({ ...context, emit })
  const event = events[0]
  if (event === undefined) return { reply: stored, passed: false }
  const variables = new Map([...callback.variables, ...(await systemVariables(context, event, stored, callback.body))])
  const { caller, accountId, callbacks } = context
  const answer = await sendCallback(callback, fill(callback, variables), {
    ...callbacks,
    bucket: event.bucket,
    accountId,
    requester:
      caller?.kind === 'session' ? `${caller.role ?? ''}:${caller.sessionName ?? ''}` : (caller?.accountId ?? ''),
    requestId: context.request.id,
  })
  const kept = (stored.headers ?? []).filter(([name]) => name !== 'Content-Type')
  const headers = [...kept, ['Content-Type', 'application/json'] as const]
  return { reply: { status: 200, headers, body: answer.toString() }, passed: true }
}

type ToldEvent = Parameters<Context['emit']>[0]

/** The callback of a header or of a signed URL; one of the two. */
function readRequestCallback(request: OssRequest): Callback | undefined {
  const encoded = either(request, 'x-oss-callback', 'callback')
  const variables = either(request, 'x-oss-callback-var', 'callback-var')
  return encoded === undefined ? undefined : readCallback(encoded, variables)
}

function either(request: OssRequest, header: string, param: string): string | undefined {
  const [a, b] = [request.header(header), request.param(param)]
  if (a === undefined || b === undefined) return a ?? b
  const details = { ArgumentName: param, ArgumentValue: b.slice(0, 1024), EC: '0007-00000027' }
  throw new OssError('InvalidArgument', details, `${header} and the parameter ${param} cannot be given at once.`)
}

/** The callback of a form, whose variables are fields of their own. */
export function readFormCallback(fields: ReadonlyMap<string, Buffer>): Callback | undefined {
  const encoded = fields.get('callback')?.toString()
  if (encoded === undefined) return undefined
  const own = [...fields]
    .filter(([name]) => name.startsWith('x:'))
    .map(([name, value]) => [name, String(value)] as const)
  const callback = readCallback(encoded, fields.get('callback-var')?.toString())
  return { ...callback, variables: new Map([...callback.variables, ...own]) }
}

async function systemVariables(
  context: Context,
  event: ToldEvent,
  stored: Reply,
  body: string,
): Promise<readonly (readonly [string, string | number])[]> {
  const header = (name: string) => stored.headers?.find(([known]) => known === name)?.[1] ?? ''
  const image = body.includes('${imageInfo.') ? await imageOf(context, event) : undefined
  return [
    ['bucket', event.bucket],
    ['object', event.key],
    ['etag', event.eTag],
    ['size', event.size],
    ['mimeType', event.contentType],
    ['imageInfo.height', image?.height ?? ''],
    ['imageInfo.width', image?.width ?? ''],
    ['imageInfo.format', image?.format ?? ''],
    ['crc64', header('x-oss-hash-crc64ecma')],
    ['contentMd5', header('Content-MD5')],
    ['vpcId', ''],
    ['clientIp', context.request.sourceIp],
    ['reqId', context.request.id],
    ['operation', event.eventName.replace(/^.*:/, '')],
  ]
}

const MAX_IMAGE_BYTES = 20 * 1024 * 1024

async function imageOf(context: Context, { bucket, key, size }: Pick<ObjectEvent, 'bucket' | 'key' | 'size'>) {
  if (size === 0 || size > MAX_IMAGE_BYTES) return undefined
  return await identifyImage(await readWhole(context, { bucket, key }))
}

/** Puts the variables in, in the manner of the type: encoded for a form, quoted for JSON; unknown ones are empty. */
function fill({ body, bodyType }: Callback, variables: ReadonlyMap<string, string | number>): string {
  const encode =
    bodyType === 'application/json' ? JSON.stringify : (value: string | number) => encodeURIComponent(value)
  return body.replaceAll(/\$\{([^}]*)\}/g, (_, name: string) => encode(variables.get(name) ?? ''))
}
