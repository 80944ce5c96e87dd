import * as v from 'valibot'
import { AppError } from '../../shared/errors.ts'
import type { Key } from '../../shared/tables/client.ts'

const Place = v.strictTuple([
  v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  v.pipe(v.string(), v.regex(/^[A-Za-z0-9]{1,64}$/)),
])

/** Where the next page of an owner's videos begins, as an opaque text. */
export function cursorOf(next: Key | undefined): string | null {
  if (!next) return null
  const values = Object.fromEntries(next)
  return Buffer.from(JSON.stringify([values.listed_at, values.video_id])).toString('base64url')
}

/** The place a cursor names, in the list of this owner only; throws `invalid_request` for any other text. */
export function placeOf(cursor: string, ownerId: string): Key {
  const place = v.safeParse(Place, parse(cursor))
  if (!place.success) throw new AppError('invalid_request', 'cursor must be a nextCursor of an earlier page')
  const [listedAt, videoId] = place.output
  return [
    ['owner_id', ownerId],
    ['listed_at', listedAt],
    ['video_id', videoId],
  ]
}

function parse(cursor: string): unknown {
  try {
    const bytes = Buffer.from(cursor, 'base64url')
    // Node skips what is not base64url; a cursor of ours has nothing to skip.
    return bytes.toString('base64url') === cursor ? JSON.parse(bytes.toString()) : undefined
  } catch {
    return undefined
  }
}
