import { createHash } from 'node:crypto'
import type { StoredBody } from './blobs.ts'
import { storeBody } from './bodies.ts'
import type { Context, Operation } from './context.ts'
import { combineCrc64 } from './crc64.ts'
import { invalidArgument, OssError } from './errors.ts'
import { readObjectAcl, readSettings } from './metadata.ts'
import { announce, objectOf, versionHeaders, writtenHeaders } from './object-operations.ts'
import type { ObjectRecord } from './records.ts'

const MAX_BYTES = 5 * 1024 ** 3

/** Each call adds a blob to the object. https://help.aliyun.com/zh/oss/developer-reference/appendobject */
export const appendObject: Operation = {
  action: 'oss:PutObject',
  async run(context) {
    const { request, store } = context
    const name = objectOf(context)
    const position = readPosition(request.param('position'))
    const bucket = store.bucket(name.bucket)
    const existing = store.findObject(name)
    // What headers say counts for the first call alone; later ones are not even looked at.
    const readOwn = () => readSettings(request, bucket)
    if (existing === undefined && readOwn().tags) context.authorize('oss:PutObjectTagging', name)
    // Looks before a long body is read, and again when it is there.
    checkAppendable(context, existing, position)
    const stored = await storeBody(context)
    const record = await store.appendObject(name, stored.blobs, (old) => {
      checkAppendable(context, old, position)
      // A later piece may open or close the object; everything else stays as the first one had it.
      const acl = request.header('x-oss-object-acl') === undefined ? {} : { acl: readObjectAcl(request) }
      return old
        ? { ...grown(old, stored, context.now()), ...acl }
        : { ...readOwn(), ...beginning(stored), lastModifiedAt: context.now() }
    })
    announce(context, 'AppendObject', name, record)
    const headers = [...writtenHeaders(record), ...versionHeaders(context, name, record)]
    return { status: 200, headers: [...headers, ['x-oss-next-append-position', String(record.size)]] }
  },
}

function readPosition(text: string | undefined): number {
  if (text === undefined) throw new OssError('MissingArgument', { ArgumentName: 'position' })
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw invalidArgument('position', text.slice(0, 64), 'Invalid Argument, position should be a number.')
}

function checkAppendable({ store, request }: Context, old: ObjectRecord | undefined, position: number): void {
  if (old && old.type !== 'Appendable') throw new OssError('ObjectNotAppendable')
  const length = old?.size ?? 0
  if (position !== length) {
    const headers = [['x-oss-next-append-position', String(length)]] as const
    throw new OssError('PositionNotEqualToLength', { Position: position, Length: length }, undefined, headers)
  }
  const worm = store.findBucket(request.bucket ?? '')?.worm
  if (old && worm?.state === 'Locked') throw new OssError('FileImmutable')
  if (length + Number(request.header('content-length') ?? 0) > MAX_BYTES) {
    throw new OssError('EntityTooLarge', { MaxSizeAllowed: MAX_BYTES })
  }
}

type Content = Pick<ObjectRecord, 'type' | 'size' | 'eTag' | 'crc64' | 'blobs'>

function beginning({ blobs, size, md5, crc64 }: StoredBody): Content {
  return { type: 'Appendable', size, eTag: md5.toString('hex').toUpperCase(), crc64: crc64.toString(), blobs }
}

function grown(old: ObjectRecord, stored: StoredBody, lastModifiedAt: number): ObjectRecord {
  const crc64 = combineCrc64(BigInt(old.crc64), stored.crc64, stored.size).toString()
  const size = old.size + stored.size
  // No sum over the bytes: it only has to differ when they do.
  const eTag = createHash('md5').update(`${old.eTag} ${crc64} ${size}`).digest('hex').toUpperCase()
  return { ...old, size, eTag, crc64, blobs: [...old.blobs, ...stored.blobs], lastModifiedAt }
}
