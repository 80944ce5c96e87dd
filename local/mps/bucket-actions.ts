import { bucketName, integerParameter, required } from './parameters.ts'
import type { BucketRecord, Store } from './store.ts'

/** What is done with media buckets; jobs take every bucket of the account, bound or not. */
export function bucketActions(store: Store) {
  const bind = (type: BucketRecord['type']) => async (parameters: URLSearchParams) => {
    const bucket = bucketName(required(parameters, 'Bucket'))
    await store.buckets.put(`${type}/${bucket}`, { bucket, type, referer: parameters.get('Referer') ?? '' })
    return {}
  }
  const unbind = (type: BucketRecord['type']) => async (parameters: URLSearchParams) => {
    await store.buckets.remove(`${type}/${bucketName(required(parameters, 'Bucket'))}`)
    return {}
  }
  return {
    BindInputBucket: bind('Input'),
    BindOutputBucket: bind('Output'),
    UnbindInputBucket: unbind('Input'),
    UnbindOutputBucket: unbind('Output'),
    ListAllMediaBucket(parameters: URLSearchParams) {
      const size = integerParameter(parameters, 'MaximumPageSize', [1, 100], 10)
      const start = Number(parameters.get('NextPageToken') || 0)
      const all = store.buckets.all()
      const page = all.slice(start, start + size)
      const next = start + size < all.length ? { NextPageToken: String(start + size) } : {}
      const buckets = page.map(({ bucket, type, referer }) => ({ Bucket: bucket, Type: type, Referer: referer }))
      return { ...next, MediaBucketList: { MediaBucket: buckets } }
    },
  }
}
