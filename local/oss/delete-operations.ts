import { writeXml, type XmlElement, type XmlFields } from '../wire/xml.ts'
import { readXmlBody } from './bodies.ts'
import { bucketOf } from './bucket-operations.ts'
import { type Context, type Operation, xmlReply } from './context.ts'
import type { Headers } from './cors.ts'
import { OssError } from './errors.ts'
import { nameEncoder } from './listing.ts'
import { contentTypeOf, userMetaOf } from './metadata.ts'
import { checkVersionId, objectOf, versionOf } from './object-operations.ts'
import { checkKey } from './request.ts'
import type { ObjectName } from './tables.ts'
import type { Removed } from './versions.ts'

export const deleteObject: Operation = {
  action: 'oss:DeleteObject',
  async run(context) {
    const name = objectOf(context)
    context.store.bucket(name.bucket)
    const removed = await context.store.removeObject(name, versionOf(context), context.now())
    announceRemoval(context, 'DeleteObject', name, removed)
    const { versionId, marker } = removed
    const version: Headers = versionId === undefined ? [] : [['x-oss-version-id', versionId]]
    return { status: 204, headers: marker ? [...version, ['x-oss-delete-marker', 'true']] : version }
  },
}

/** Tells whoever listens that an object can be read no more. */
function announceRemoval(context: Context, operation: string, name: ObjectName, { gone }: Removed): void {
  if (gone === undefined) return
  context.emit({
    eventName: `ObjectRemoved:${operation}`,
    ...name,
    size: gone.size,
    eTag: gone.eTag,
    contentType: contentTypeOf(gone.headers),
    userMeta: userMetaOf(gone.headers),
  })
}

const MAX_DELETED = 1000

interface Wanted {
  readonly key: string
  readonly versionId: string | undefined
}

export const deleteMultipleObjects: Operation = {
  async run(context) {
    const { request, store } = context
    const bucket = bucketOf(context)
    store.bucket(bucket)
    if (request.header('content-md5') === undefined) {
      throw new OssError('MissingArgument', { ArgumentName: 'Content-MD5' })
    }
    const body = await readXmlBody(request, 'Delete')
    const wanted = body.all('Object').map(readWanted)
    if (wanted.length === 0 || wanted.length > MAX_DELETED) throw new OssError('MalformedXML')
    for (const { key, versionId } of wanted) {
      context.authorize(versionId === undefined ? 'oss:DeleteObject' : 'oss:DeleteObjectVersion', { bucket, key })
    }
    const deleted: XmlFields[] = []
    for (const one of wanted) deleted.push(await remove(context, bucket, one))
    const type = request.param('encoding-type') || undefined
    if (body.value('Quiet')?.trim().toLowerCase() === 'true') return xmlReply(writeXml('DeleteResult', {}))
    return xmlReply(writeXml('DeleteResult', { EncodingType: type, Deleted: deleted }))
  },
}

function readWanted(object: XmlElement): Wanted {
  const versionId = object.value('VersionId')?.trim()
  return { key: checkKey(object.value('Key') ?? ''), versionId: checkVersionId(versionId || undefined) }
}

async function remove(context: Context, bucket: string, { key, versionId }: Wanted): Promise<XmlFields> {
  const removed = await context.store.removeObject({ bucket, key }, versionId, context.now())
  announceRemoval(context, 'DeleteObjects', { bucket, key }, removed)
  const name = nameEncoder(context.request)(key)
  return { Key: name, ...describeRemoval(removed, versionId) }
}

function describeRemoval({ versionId, marker }: Removed, asked: string | undefined): XmlFields {
  const DeleteMarker = marker || undefined
  return { VersionId: asked, DeleteMarker, DeleteMarkerVersionId: marker ? versionId : undefined }
}
