import { expect, test } from 'vitest'
import { type Job, jobsOf, type KeyValue } from '../../../web/upload/jobs.ts'

function storage(): KeyValue & { readonly map: Map<string, string> } {
  const map = new Map<string, string>()
  return {
    map,
    getItem: (key) => map.get(key) ?? null,
    setItem: (key, value) => void map.set(key, value),
    removeItem: (key) => void map.delete(key),
  }
}

const file = { name: 'a.mp4', size: 10, lastModified: 5 }
const job: Job = {
  ...file,
  ...{ uploadId: 'u', uploadToken: 't', videoId: 'v', playbackId: 'p', multipartId: 'm' },
  ...{ partSizeBytes: 1024, storedBytes: 4, expiresAt: 1000 },
}

test('a begun upload is found again by its file', () => {
  const kept = storage()
  jobsOf('me', kept).save(job)
  expect(jobsOf('me', kept).find({ ...file }, 999)).toEqual(job)
})

test.each([
  ['name', { ...file, name: 'b.mp4' }],
  ['size', { ...file, size: 11 }],
  ['date', { ...file, lastModified: 6 }],
])('a file of another %s is another file', (_what, other) => {
  const jobs = jobsOf('me', storage())
  jobs.save(job)
  expect(jobs.find(other, 0)).toBeUndefined()
})

test('an upload is kept once, whatever is saved of it, and is gone when it is removed', () => {
  const kept = storage()
  const jobs = jobsOf('me', kept)
  jobs.save(job)
  jobs.save({ ...job, storedBytes: 8 })
  expect(jobs.all(0)).toEqual([{ ...job, storedBytes: 8 }])
  jobs.remove('u')
  expect(kept.map.size).toBe(0)
})

test('uploads that have expired, or are somebody else’s, are not offered', () => {
  const kept = storage()
  jobsOf('me', kept).save(job)
  expect(jobsOf('me', kept).all(1000)).toEqual([])
  expect(jobsOf('you', kept).all(0)).toEqual([])
})

test.each(['not json', '{}', '[1,null,{"name":"a"}]', JSON.stringify([{ ...job, uploadToken: 7 }])])(
  'what cannot be read is forgotten: %s',
  (text) => {
    const kept = storage()
    kept.map.set('yunbo.uploads.me', text)
    expect(jobsOf('me', kept).all(0)).toEqual([])
  },
)

test('a browser that stores nothing is no reason to stop', () => {
  const full = {
    ...storage(),
    setItem: () => {
      throw new Error('QuotaExceededError')
    },
  }
  expect(() => jobsOf('me', full).save(job)).not.toThrow()
})
