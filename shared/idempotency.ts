import { createHash } from 'node:crypto'
import { AppError } from './errors.ts'
import type { IdempotencyTable } from './tables/idempotency.ts'

/** The `Idempotency-Key` header; throws `invalid_request` when it is not 1 to 255 visible ASCII characters. */
export function idempotencyKeyOf(request: Request): string | undefined {
  const key = request.headers.get('idempotency-key') ?? undefined
  if (key === undefined || /^[\x21-\x7e]{1,255}$/.test(key)) return key
  throw new AppError('invalid_request', 'Idempotency-Key must be 1 to 255 visible ASCII characters')
}

/** A request that may be sent again under one key. */
export interface Repeatable {
  /** `{principal}#{route}#{key}`: what one caller did says nothing to another. */
  readonly key: string
  /** What must be the same in a repeat; never a secret, since a fast hash of it is kept. */
  readonly body: string
  /** What this request is about to make, if it is the first. */
  readonly resourceId: string
}

/** The id of what the first request with this key made, or is about to make; throws `idempotency_conflict`. */
export async function firstWith(request: Repeatable, idempotency: IdempotencyTable, now: number): Promise<string> {
  const bodySha256 = createHash('sha256').update(request.body).digest('hex')
  const first = await idempotency.begin(request.key, { bodySha256, resourceId: request.resourceId }, now)
  if (first.bodySha256 === bodySha256) return first.resourceId
  throw conflict()
}

/** The key was used with another body. */
export function conflict(): AppError {
  return new AppError('idempotency_conflict', 'This Idempotency-Key was used with another body; use a new one')
}

/**
 * For a request that may be repeated anyway, on a resource that exists: only a key that was used with another body is of
 * interest. `scope` is `{resource}#{route}`.
 */
export async function refuseOtherBody(
  request: Request,
  scope: string,
  deps: { readonly idempotency: IdempotencyTable; now(): number },
): Promise<void> {
  const key = idempotencyKeyOf(request)
  if (key === undefined) return
  const body = await request.clone().text()
  await firstWith({ key: `${scope}#${key}`, body, resourceId: scope }, deps.idempotency, deps.now())
}
