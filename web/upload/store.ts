import type { StoredPart } from './parts.ts'

/** The operations of OSS on one upload's key, with rights that do not last. */
export interface Store {
  /** Begins a multipart upload; answers the name OSS gives to it. */
  begin(contentType: string): Promise<string>
  /** What OSS has of it. */
  stored(multipartId: string): Promise<StoredPart[]>
  /** Sends one piece; answers its ETag. */
  put(multipartId: string, number: number, bytes: Blob, options: PutOptions): Promise<string>
  /** Joins the pieces to the object. */
  finish(multipartId: string, parts: readonly StoredPart[]): Promise<void>
}

export interface PutOptions {
  readonly signal: AbortSignal
  onSent(bytes: number): void
}

/** A refusal by OSS; `status` is 0 when there was no answer. */
export class StoreError extends Error {
  readonly code: string
  readonly status: number

  constructor(code: string, status: number, message: string, options: { cause?: unknown } = {}) {
    super(message, options)
    this.name = 'StoreError'
    this.code = code
    this.status = status
  }
}

/** Whether a multipart upload is not there any more: finished, or given up. */
export function isGone(error: unknown): boolean {
  return error instanceof StoreError && error.code === 'NoSuchUpload'
}
