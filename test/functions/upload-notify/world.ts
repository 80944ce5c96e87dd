import type { Deps } from '../../../functions/upload-notify/route.ts'
import { drive } from '../../../shared/drive.ts'
import { AppError } from '../../../shared/errors.ts'
import { invocationId } from '../../../shared/plan.ts'
import type { StoredObject } from '../../../shared/source.ts'
import type { Row } from '../../../shared/tables/client.ts'
import { dueTable } from '../../../shared/tables/due.ts'
import { idempotencyTable } from '../../../shared/tables/idempotency.ts'
import { mediaTable } from '../../../shared/tables/media.ts'
import { playbacksTable } from '../../../shared/tables/playbacks.ts'
import { type Upload, uploadsTable } from '../../../shared/tables/uploads.ts'
import { videosTable } from '../../../shared/tables/videos.ts'
import { memoryTables, type TableOperation } from '../../fakes/tables.ts'

export const NOW = Date.UTC(2030, 0, 1)

/** An upload of Ann's that waits for its bytes. */
export const waiting: Upload = {
  uploadId: 'upload0000000001',
  ownerId: 'ann',
  videoId: 'video00000000001',
  mediaId: 'media00000000001',
  playbackId: 'play000000000001',
  key: 'uploads/upload0000000001/source',
  fileName: 'film.mp4',
  title: 'film',
  sizeBytes: 10,
  contentType: 'video/mp4',
  sourceContext: 'ctx',
  classId: 'c1',
  state: 'waiting',
  error: '',
  createdAt: NOW - 1000,
  expiresAt: NOW + 86_400_000,
}

export const film: StoredObject = { etag: 'E1', size: 1234, crc64: '77', type: 'Normal', storageClass: 'Standard' }

/** Everything an upload touches, in memory: tables, the bucket, and Function Compute as a list of invocations. */
export function newWorld(onOperation?: (operation: TableOperation) => void | Promise<void>) {
  const tables = memoryTables(onOperation ? { onOperation } : {})
  const bucket = new Map<string, StoredObject>()
  const symlinks = new Set<string>()
  const calls: string[] = []
  const invocations = new Set<string>()
  const driving = {
    tables,
    dispatch: async (message: Parameters<typeof invocationId>[0]) => void invocations.add(invocationId(message)),
    now: () => NOW,
    pause: async () => {},
  }
  const deps: Deps = {
    uploads: uploadsTable(tables),
    media: mediaTable(tables),
    playbacks: playbacksTable(tables),
    videos: videosTable(tables),
    due: dueTable(tables),
    idempotency: idempotencyTable(tables),
    objects: {
      head: async (key) => bucket.get(key),
      isSymlink: async (key) => symlinks.has(key),
      resetAcl: async (key) => void calls.push(`acl ${key}`),
      abortUploads: async (prefix) => void calls.push(`abort ${prefix}`),
      async remove(key) {
        calls.push(`remove ${key}`)
        bucket.delete(key)
      },
    },
    drive: (mediaId) => drive(mediaId, driving),
    async verifySession(token) {
      if (!token.startsWith('session-of-')) throw new AppError('unauthenticated', 'Expected a session token')
      return { accountId: token.slice('session-of-'.length) }
    },
    verifyUploadToken(token, uploadId) {
      if (token !== `token-of-${uploadId}`) throw new AppError('unauthenticated', 'Expected the upload token')
    },
    async grant(key) {
      const credentials = { accessKeyId: 'a', accessKeySecret: 's', securityToken: 't', expiration: 'soon' }
      return { bucket: 'b', region: 'cn-hangzhou', endpoint: 'http://oss', addressing: 'path', key, credentials }
    },
    now: () => NOW,
    maxSourceBytes: 5000,
    publicUrl: 'http://site',
  }
  return { tables, bucket, symlinks, calls, invocations, deps }
}

export type World = ReturnType<typeof newWorld>

/** What counts of an end state: who wrote a row and how many hints were left do not. */
export function stateOf(world: World): Record<string, Row[]> {
  const { due: _, ...rest } = world.tables.dump()
  return Object.fromEntries(
    Object.entries(rest).map(([table, rows]) => [table, rows.map(({ writer: __, ...row }) => row)]),
  )
}
