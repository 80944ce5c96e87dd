import * as v from 'valibot'
import { AppError } from '../../shared/errors.ts'
import { checked } from '../../shared/input.ts'

const later = v.optional(v.never('is not supported yet; leave it out'))

function text(max: number) {
  const message = `must be a text of 1 to ${max} characters without control characters`
  return v.pipe(v.string(message), v.trim(), v.regex(new RegExp(`^[^\\p{Cc}]{1,${max}}$`, 'u'), message))
}

const MEDIA_TYPE = /^[\w.+-]{1,60}\/[\w.+-]{1,60}(; ?[\w.+-]+=("[^"\p{Cc}]*"|[\w.+-]+))*$/u
const wholeBytes = 'must be a whole number of bytes, at least 1'

/** The body of `POST /v1/uploads`; `Content-Type` is only a hint, what the file is shows when it is read. */
export const Body = v.strictObject(
  {
    fileName: text(255),
    sizeBytes: v.pipe(v.number(wholeBytes), v.safeInteger(wholeBytes), v.minValue(1, wholeBytes)),
    contentType: v.pipe(
      v.string('must be a media type such as video/mp4'),
      v.maxLength(255, 'must be a media type of at most 255 characters'),
      v.regex(MEDIA_TYPE, 'must be a media type such as video/mp4'),
    ),
    title: v.optional(text(255)),
    sha256: v.optional(
      v.pipe(v.string('must be 64 hexadecimal digits'), v.regex(/^[\da-fA-F]{64}$/, 'must be 64 hexadecimal digits')),
    ),
    classId: v.optional(
      v.pipe(
        v.string('must be 1 to 64 of A-Z a-z 0-9 . _ : -'),
        v.regex(/^[\w.:-]{1,64}$/, 'must be 1 to 64 of A-Z a-z 0-9 . _ : -'),
      ),
    ),
    sourceContext: v.optional(
      v.pipe(v.string('must be a text'), v.maxLength(1000, 'must be at most 1000 characters long')),
    ),
    method: v.optional(v.literal('sts', 'must be "sts"; other ways to upload are not supported yet')),
    procedure: later,
    cover: later,
  },
  'must be a JSON object',
)

/** What an uploader asks for, checked. */
export type UploadWish = v.InferOutput<typeof Body>

/** Checks the body of `POST /v1/uploads`; throws `invalid_request`, or `too_large` for a declared size above the limit. */
export function uploadWish(body: unknown, maxSourceBytes: number): UploadWish {
  const wish = checked(Body, body)
  if (wish.sizeBytes <= maxSourceBytes) return wish
  throw new AppError('too_large', `sizeBytes must be at most ${maxSourceBytes}`)
}

/** The title of an upload that has none: its file's name without the ending. */
export function titleOf(wish: UploadWish): string {
  return wish.title ?? wish.fileName.replace(/(?<=.)\.[^.]{1,5}$/u, '')
}
