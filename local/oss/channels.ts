import { justAfter } from './listing.ts'
import type { ChannelRecord } from './records.ts'
import { bucketRange, existingBucket, type ObjectName, objectKey, type Tables } from './tables.ts'

export interface NamedChannel {
  readonly name: string
  readonly channel: ChannelRecord
}

/** Live channels, which lie beside the objects of a bucket. */
export interface Channels {
  find(name: ObjectName): ChannelRecord | undefined
  put(name: ObjectName, channel: ChannelRecord): Promise<void>
  remove(name: ObjectName): Promise<void>
  /** Channels by name, after one of them. */
  list(bucket: string, prefix: string, after: string): Iterable<NamedChannel>
  count(bucket: string): number
}

/** The live channels of a store. */
export function openChannels(tables: Tables): Channels {
  const inBucket = (bucket: string) => bucketRange(bucket, '', Buffer.alloc(0))
  return {
    find: (name) => tables.channels.get(objectKey(name)),
    put: (name, channel) =>
      tables.transaction(() => {
        existingBucket(tables, name.bucket)
        void tables.channels.put(objectKey(name), channel)
      }),
    remove: (name) =>
      tables.transaction(() => {
        existingBucket(tables, name.bucket)
        void tables.channels.remove(objectKey(name))
      }),
    *list(bucket, prefix, after) {
      const nameBytes = Buffer.byteLength(bucket) + 1
      for (const { key, value } of tables.channels.getRange(bucketRange(bucket, prefix, justAfter(after)))) {
        yield { name: key.subarray(nameBytes).toString(), channel: value }
      }
    },
    count: (bucket) => tables.channels.getKeysCount(inBucket(bucket)),
  }
}
