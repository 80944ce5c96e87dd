import type { Identity } from '../wire/credentials.ts'
import type { Action, Authorize } from './access.ts'
import type { Headers } from './cors.ts'
import type { OssRequest } from './request.ts'
import type { Store } from './store.ts'

/** One object was created; what Function Compute's OSS trigger is told. */
export interface ObjectCreatedEvent {
  /** Such as `ObjectCreated:PutObject`, without `oss:`. */
  readonly eventName: string
  readonly bucket: string
  readonly key: string
  readonly size: number
  /** Upper-case hexadecimal, without quotes. */
  readonly eTag: string
  readonly contentType: string
  /** By the full names, `x-oss-meta-…`. */
  readonly userMeta: Readonly<Record<string, string>>
  readonly requestId: string
  readonly sourceIp: string
  readonly principalId: string
  readonly at: number
}

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
  emit(event: Omit<ObjectCreatedEvent, 'requestId' | 'sourceIp' | 'principalId' | 'at'>): void
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
