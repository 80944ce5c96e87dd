import { readXml, type XmlElement, XmlError, type XmlFields } from '../wire/xml.ts'
import { integer } from './attributes.ts'
import { MnsError } from './errors.ts'
import { inNamespace } from './notification.ts'
import type { Creation, Queues } from './queues.ts'
import type { MnsCall } from './request.ts'
import type { Tables } from './store.ts'
import type { Topics } from './topics.ts'
import { header, type SignedRequest } from './verify.ts'

/** What an operation works with. */
export interface Context {
  readonly call: MnsCall
  readonly request: SignedRequest
  readonly queues: Queues
  readonly topics: Topics
  readonly account: Tables['account']
  readonly accountId: string
  /** Nobody waits for the answer any more. */
  readonly signal: AbortSignal
  save(work: () => void): Promise<void>
}

/** An answer before it is on the wire. */
export interface Reply {
  readonly status: number
  readonly xml?: string
  readonly location?: string
}

/** One operation by name. */
export type Run = (context: Context) => Promise<Reply> | Reply

/** Done, with nothing to say. */
export const NO_CONTENT: Reply = { status: 204 }

/** The body of a request with the root that the operation takes. */
export function readBodyXml({ request }: Context, root: string): XmlElement {
  try {
    return readXml(request.body.toString(), root)
  } catch (error) {
    if (error instanceof XmlError) throw new MnsError('MalformedXML')
    throw error
  }
}

/** An answer with a document. */
export function document(status: number, root: string, fields: XmlFields): Reply {
  return { status, xml: inNamespace(root, fields) }
}

/** Where something is, as the client addresses this service. */
export function urlOf({ request }: Context, path: string): string {
  return `http://${header(request, 'host') ?? 'localhost'}/${path}`
}

/** The answer to making something: what is there already, just so, is no error. */
export function createdReply(context: Context, creation: Creation, path: string): Reply {
  return { status: creation === 'created' ? 201 : 204, location: urlOf(context, path) }
}

/** A page of a list, by the headers that ask for it. The marker is the first name of the next page. */
export function page<T>(
  context: Context,
  list: (prefix: string, from: string) => Iterable<readonly [string, T]>,
): { readonly items: readonly (readonly [string, T])[]; readonly marker: string | undefined; readonly meta: boolean } {
  const value = (name: string) => header(context.request, name)
  const limit = integer(value('x-mns-ret-number'), 'x-mns-ret-number', [1, 1000]) ?? 1000
  const items: (readonly [string, T])[] = []
  const meta = value('x-mns-with-meta') === 'true'
  for (const item of list(value('x-mns-prefix') ?? '', value('x-mns-marker') ?? '')) {
    if (items.length === limit) return { items, marker: item[0], meta }
    items.push(item)
  }
  return { items, marker: undefined, meta }
}

/** Seconds since the epoch, which is what everything but messages is dated in. */
export function seconds(ms: number): number {
  return Math.floor(ms / 1000)
}

/** As the service writes it. */
export function word(value: boolean): string {
  return value ? 'True' : 'False'
}
