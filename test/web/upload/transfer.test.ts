import { expect, test } from 'vitest'
import type { UploadCompleted, UploadTarget } from '../../../shared/api.ts'
import { ApiError } from '../../../web/http.ts'
import type { Job } from '../../../web/upload/jobs.ts'
import type { StoredPart } from '../../../web/upload/parts.ts'
import { type Store, StoreError } from '../../../web/upload/store.ts'
import { type TransferDeps, transfer } from '../../../web/upload/transfer.ts'

const MIB = 1024 * 1024
const SIZE = 7 * MIB + 123
const completed = { uploadId: 'u', videoId: 'v' } as UploadCompleted
const rights = {} as UploadTarget

interface Faults {
  /** Numbers of calls of `put`, from 1, that fail. */
  put?: (call: number) => Error | undefined
  /** Whether the first join takes effect and its answer is lost. */
  loseJoin?: boolean
}

/** OSS and the API as far as an upload sees them. */
function world(faults: Faults = {}) {
  const uploads = new Map<string, Map<number, StoredPart>>()
  const sent: number[] = []
  const sizes: number[] = []
  let object: number | undefined
  let puts = 0
  let joins = 0
  let isClosed = false
  const partsOf = (id: string) => {
    const parts = uploads.get(id)
    if (!parts) throw new StoreError('NoSuchUpload', 404, 'There is no such upload.')
    return parts
  }
  const store: Store = {
    async begin() {
      const id = `m${uploads.size + 1}`
      uploads.set(id, new Map())
      return id
    },
    stored: async (id) => [...partsOf(id).values()],
    async put(id, number, bytes, { onSent, signal }) {
      puts += 1
      sent.push(number)
      const fault = faults.put?.(puts)
      await Promise.resolve()
      signal.throwIfAborted()
      if (fault) throw fault
      partsOf(id).set(number, { number, etag: `"${number}"`, size: bytes.size })
      onSent(bytes.size)
      return `"${number}"`
    },
    async finish(id, parts) {
      joins += 1
      const known = partsOf(id)
      expect(parts.map(({ number }) => number).sort((a, b) => a - b)).toEqual([...known.keys()].sort((a, b) => a - b))
      object = [...known.values()].reduce((sum, { size }) => sum + size, 0)
      uploads.delete(id)
      if (faults.loseJoin && joins === 1) throw new StoreError('network', 0, 'connection reset')
    },
  }
  const stop = new AbortController()
  const saved: Job[] = []
  const deps: TransferDeps = {
    rights: {
      async current() {
        if (isClosed) throw new ApiError('upload_closed', 409, 'The upload is done')
        return rights
      },
      refuse() {},
    },
    retry: { signal: stop.signal, pause: async () => {}, random: () => 0, onSilence: () => {} },
    storeOf: () => store,
    async complete() {
      if (object === undefined) throw new ApiError('upload_incomplete', 409, 'The bytes are not there yet')
      return completed
    },
    save: (job) => saved.push(job),
    onSent: (bytes) => sizes.push(bytes),
    onFinishing: () => {},
  }
  return {
    ...{ deps, sent, sizes, saved, stop, uploads },
    object: () => object,
    close: () => {
      isClosed = true
    },
  }
}

const job: Job = {
  ...{ name: 'a.mp4', size: SIZE, lastModified: 1, uploadId: 'u', uploadToken: 't', videoId: 'v', playbackId: 'p' },
  ...{ partSizeBytes: MIB, storedBytes: 0, expiresAt: 1 },
}
const file = new Blob([new Uint8Array(SIZE)])

test('a file goes out once, part by part, and becomes the object', async () => {
  const { deps, sent, sizes, object } = world()
  expect(await transfer(job, file, deps)).toBe(completed)
  expect([...sent].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  expect(object()).toBe(SIZE)
  expect(sizes.at(-1)).toBe(SIZE)
})

test('after a reload only what OSS has not acknowledged is sent', async () => {
  const { deps, sent, saved, stop, object } = world({
    put(call) {
      if (call === 5) stop.abort(new Error('the page is closed'))
      return undefined
    },
  })
  await expect(transfer(job, file, deps)).rejects.toThrow('the page is closed')
  const kept = saved.at(-1)
  expect(kept?.multipartId).toBe('m1')
  const before = new Set((await deps.storeOf(rights).stored('m1')).map(({ number }) => number))
  expect(before.size).toBeGreaterThan(0)
  sent.length = 0

  const retry = { ...deps.retry, signal: new AbortController().signal }
  expect(await transfer(kept ?? job, file, { ...deps, retry })).toBe(completed)
  expect(sent.filter((number) => before.has(number))).toEqual([])
  expect(sent.length + before.size).toBe(8)
  expect(object()).toBe(SIZE)
})

test('a part that fails is sent again, and no other', async () => {
  const { deps, sent, object } = world({
    put: (call) => (call === 2 ? new StoreError('network', 0, 'reset') : undefined),
  })
  await transfer(job, file, deps)
  expect(sent).toHaveLength(9)
  expect(object()).toBe(SIZE)
})

test('when the answer to the join is lost, the object counts', async () => {
  const { deps, sent, object } = world({ loseJoin: true })
  expect(await transfer(job, file, deps)).toBe(completed)
  expect(sent).toHaveLength(8)
  expect(object()).toBe(SIZE)
})

test('a page that was closed between the join and its answer needs to send nothing any more', async () => {
  const { deps, sent, saved } = world()
  await transfer(job, file, deps)
  sent.length = 0
  expect(await transfer(saved.at(-1) ?? job, file, deps)).toBe(completed)
  expect(sent).toEqual([])
})

test('when the event of OSS was faster, there are no more rights, and the upload is complete', async () => {
  const { deps, sent, saved, close } = world()
  await transfer(job, file, deps)
  close()
  sent.length = 0
  expect(await transfer(saved.at(-1) ?? job, file, deps)).toBe(completed)
  expect(sent).toEqual([])
})

test('a multipart upload that was swept away is begun anew', async () => {
  const { deps, sent, saved, uploads, object } = world()
  const lost = { ...job, multipartId: 'long gone' }
  expect(await transfer(lost, file, deps)).toBe(completed)
  expect(sent).toHaveLength(8)
  expect(saved[0]?.multipartId).toBe('m1')
  expect(uploads.size).toBe(0)
  expect(object()).toBe(SIZE)
})

test('a final refusal ends all lanes and is told', async () => {
  const denied = new StoreError('EntityTooLarge', 400, 'too large')
  const { deps, sent } = world({ put: (call) => (call === 3 ? denied : undefined) })
  await expect(transfer(job, file, deps)).rejects.toBe(denied)
  expect(sent.length).toBeLessThan(8)
})

test('a file that was changed meanwhile is told apart from a dead connection', async () => {
  const { deps } = world()
  const gone = {
    type: 'video/mp4',
    slice: () =>
      ({ slice: () => ({ arrayBuffer: () => Promise.reject(new Error('NotReadableError')) }) }) as unknown as Blob,
  }
  await expect(transfer(job, gone, deps)).rejects.toMatchObject({ code: 'file_changed' })
})
