import { createHash } from 'node:crypto'
import type { Operation } from './context.ts'
import type { Headers } from './cors.ts'
import { invalidArgument, OssError } from './errors.ts'
import { quoted, readSettings } from './metadata.ts'
import { announce, existingObject, objectOf, readOverwrite, versionHeaders, versionOf } from './object-operations.ts'
import type { ObjectRecord } from './records.ts'
import { checkKey, type OssRequest } from './request.ts'

export const putSymlink: Operation = {
  action: 'oss:PutObject',
  async run(context) {
    const name = objectOf(context)
    const target = readTarget(context.request)
    const overwrite = readOverwrite(context, name)
    const made: ObjectRecord = {
      ...readSettings(context.request, context.store.bucket(name.bucket)),
      type: 'Symlink',
      size: 0,
      eTag: createHash('md5').update(target).digest('hex').toUpperCase(),
      crc64: '0',
      blobs: [],
      lastModifiedAt: context.now(),
      target,
    }
    const record = await context.store.putObject(name, made, overwrite)
    announce(context, 'PutSymlink', name, record)
    return { status: 200, headers: [['ETag', quoted(record.eTag)], ...versionHeaders(context, name, record)] }
  },
}

function readTarget(request: OssRequest): string {
  const encoded = request.header('x-oss-symlink-target')
  if (encoded === undefined) throw new OssError('MissingArgument', { ArgumentName: 'x-oss-symlink-target' })
  try {
    return checkKey(decodeURIComponent(encoded))
  } catch {
    throw invalidArgument('x-oss-symlink-target', encoded.slice(0, 64), 'The symbolic link target is not valid.')
  }
}

export const getSymlink: Operation = {
  action: 'oss:GetObject',
  run(context) {
    const name = objectOf(context)
    const record = existingObject(context, name, versionOf(context))
    if (record.target === undefined) throw new OssError('NotSymlink', { Key: name.key })
    const headers: Headers = [
      ['x-oss-symlink-target', encodeURIComponent(record.target).replaceAll('%2F', '/')],
      ['ETag', quoted(record.eTag)],
      ['Last-Modified', new Date(record.lastModifiedAt).toUTCString()],
      ...versionHeaders(context, name, record),
    ]
    return { status: 200, headers }
  },
}
