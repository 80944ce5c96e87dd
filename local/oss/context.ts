import type { Identity } from '../wire/credentials.ts'
import type { ObjectEvent } from '../wire/object-event.ts'
import type { Action, Authorize } from './access.ts'
import type { CallbackKey } from './callback/key.ts'
import type { Headers } from './cors.ts'
import type { Processing } from './process/processing.ts'
import type { OssRequest } from './request.ts'
import type { Store } from './store.ts'
import type { VerifyOptions } from './verify.ts'

/** What an operation works with. */
export interface Context {
  readonly request: OssRequest
  readonly store: Store
  readonly region: string
  readonly accountId: string
  readonly caller: Identity | undefined
  readonly now: () => number
  /** For whatever else an operation touches; its own target has been judged before it runs. */
  readonly authorize: Authorize
  /** By what signatures that are not in the request itself are verified. */
  readonly signing: VerifyOptions
  /** The same for whoever such a signature is from. */
  as(caller: Identity | undefined): Context
  /** What tells receivers of callbacks who calls. */
  readonly callbacks: { readonly key: CallbackKey; readonly keyUrl: string }
  readonly processing: Processing
  emit(event: Omit<ObjectEvent, 'requestId' | 'sourceIp' | 'principalId' | 'at'>): void
}

/** A range of an object's bytes; `release` lets go of them. */
export interface Content {
  readonly bytes: number
  send(sink: NodeJS.WritableStream & { readonly destroyed: boolean }): Promise<void>
  release(): void
}

/** An answer before it is written. */
export interface Reply {
  readonly status: number
  readonly headers?: Headers
  readonly body?: string | Content
  /** The body is compressed on its way, by which its length is no longer known. */
  readonly gzip?: boolean
}

/** One operation and the right that it needs on the bucket or object of the request. */
export interface Operation {
  /** Absent where the targets are in the body: the operation itself asks for each of them. */
  readonly action?: Action
  run(context: Context): Promise<Reply> | Reply
}

/** Answer with an XML document. */
export function xmlReply(body: string, headers: Headers = []): Reply {
  return { status: 200, headers: [['Content-Type', 'application/xml'], ...headers], body }
}
