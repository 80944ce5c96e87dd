import type { Context } from './context.ts'
import { OssError } from './errors.ts'
import type { ObjectRecord, StorageClass } from './records.ts'
import type { ObjectName } from './tables.ts'

/** Classes whose objects must be restored before they can be read. */
export function isArchived({ storageClass }: { readonly storageClass: StorageClass }): boolean {
  return storageClass !== 'Standard' && storageClass !== 'IA'
}

/** `x-oss-restore` of an object that is being restored or is restored for a time. */
export function restorationState(record: ObjectRecord, now: number): string | undefined {
  const { restoration } = record
  if (!isArchived(record) || restoration === undefined || now >= restoration.expiresAt) return undefined
  if (now < restoration.readyAt) return 'ongoing-request="true"'
  return `ongoing-request="false", expiry-date="${new Date(restoration.expiresAt).toUTCString()}"`
}

/** Refuses to give out the bytes of an object that is not restored; some buckets allow it for the Archive class. */
export function checkReadable({ store, now }: Context, { bucket }: ObjectName, record: ObjectRecord): void {
  if (!isArchived(record) || restorationState(record, now())?.startsWith('ongoing-request="false"')) return
  const direct = store.findBucket(bucket)?.settings?.bucketArchiveDirectRead
  if (record.storageClass === 'Archive' && direct?.includes('<Enabled>true</Enabled>')) return
  throw new OssError('InvalidObjectState', { StorageClass: record.storageClass })
}
