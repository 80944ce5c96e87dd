import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { onObject } from '../../functions/upload-notify/on-object.ts'
import { accept } from '../../shared/accept.ts'
import type { StoredObject } from '../../shared/source.ts'
import { film, newWorld, stateOf, type World, type WorldOptions, waiting } from '../functions/world.ts'

async function complete(world: World) {
  const upload = await world.deps.uploads.find(waiting.uploadId)
  if (!upload) throw new Error('expected the upload')
  return accept(upload, world.deps)
}

async function uploaded(object: StoredObject = film, onOperation?: WorldOptions['onOperation']): Promise<World> {
  const world = newWorld(onOperation && { onOperation })
  await world.deps.uploads.create(waiting)
  world.bucket.set(waiting.key, object)
  return world
}

const answer = {
  uploadId: waiting.uploadId,
  videoId: waiting.videoId,
  playbackId: waiting.playbackId,
  status: 'processing',
  playable: false,
  playUrl: `http://site/watch/${waiting.playbackId}`,
  coverUrl: null,
}

describe('an upload whose bytes are there', () => {
  test('becomes a video with a public playback, and its probe is started', async () => {
    const world = await uploaded()
    expect(await complete(world)).toEqual(answer)
    expect(stateOf(world).tables).toMatchObject({
      uploads: [{ state: 'done' }],
      media: [{ source_etag: 'E1', size_bytes: 1234, crc64: '77', source_key: waiting.key, fault: '' }],
      media_refs: [{ video_id: waiting.videoId }],
      playbacks: [{ policy: 'public', revoked: false, media_id: waiting.mediaId }],
      videos: [{ owner_id: 'ann', title: 'film', source_context: 'ctx', class_id: 'c1' }],
      tasks: [{ task_id: 'probe' }],
    })
    expect(world.invocations).toEqual([`t-${waiting.mediaId}-none-probe-1`])
  })

  test('has the size that is stored, whatever was declared', async () => {
    const world = await uploaded()
    await complete(world)
    expect(world.tables.rows('videos')).toMatchObject([{ size_bytes: 1234 }])
  })

  test('loses whatever access its uploader had given to others', async () => {
    const world = await uploaded()
    await complete(world)
    expect(world.calls).toEqual([`acl ${waiting.key}`])
  })

  test.each(['complete', 'the event'])('loses it again after a later write, at %s', async (by) => {
    const world = await uploaded()
    await complete(world)
    world.calls.length = 0
    await (by === 'complete' ? complete(world) : onObject(eventOf(waiting.key), world.deps))
    expect(world.calls).toEqual([`acl ${waiting.key}`])
  })

  test('leaves its hint before anything else is written', async () => {
    const order: string[] = []
    const world = await uploaded(film, ({ kind, table }) => void (kind === 'write' && order.push(table)))
    order.length = 0
    await complete(world)
    expect(order[0]).toBe('due')
  })

  test('gives the same answer to five who say so at once, and to the event', async () => {
    const world = await uploaded()
    const event = onObject(eventOf(waiting.key), world.deps)
    const answers = await Promise.all([1, 2, 3, 4, 5].map(() => complete(world)))
    await event
    expect(answers).toEqual([answer, answer, answer, answer, answer])
    expect(world.invocations.length).toBe(1)
    expect(stateOf(world)).toEqual(stateOf(await peaceful()))
  })

  test('gives the same answer to a repeat', async () => {
    const world = await uploaded()
    await complete(world)
    const before = stateOf(world)
    expect(await complete(world)).toEqual(answer)
    expect(stateOf(world)).toEqual(before)
  })

  test('is refused while nothing is stored, and accepted once it is', async () => {
    const world = await uploaded()
    world.bucket.clear()
    await expect(complete(world)).rejects.toMatchObject({ code: 'upload_incomplete' })
    expect(world.tables.rows('uploads')).toMatchObject([{ state: 'waiting' }])
    world.bucket.set(waiting.key, film)
    expect(await complete(world)).toEqual(answer)
  })
})

describe('a complete that dies', () => {
  test('between any two operations is finished by the next one, with one end state', async () => {
    const expected = stateOf(await peaceful())
    const deaths = await operationsOfOne()
    expect(deaths).toBeGreaterThan(15)
    for (let index = 0; index < deaths; index += 1) {
      for (const phase of ['before', 'after'] as const) {
        const world = await uploadedThenDying(index, phase)
        await expect(complete(world), `${phase} operation ${index}`).rejects.toThrow('died')
        expect(await complete(world)).toEqual(answer)
        expect(stateOf(world), `after death ${phase} operation ${index}`).toEqual(expected)
        expect(world.invocations.length).toBe(1)
      }
    }
  })

  test('is finished in any interleaving with others', async () => {
    const expected = stateOf(await peaceful())
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.nat(60), async (scheduler, nth) => {
        let left = -1
        const world = await uploaded(film, async ({ phase }) => {
          if (left < 0) return
          if (phase === 'before') await scheduler.schedule(Promise.resolve())
          else if (left-- === 0) throw new Error('died')
        })
        left = nth
        const event = onObject(eventOf(waiting.key), world.deps)
        await scheduler.waitFor(Promise.allSettled([complete(world), complete(world), event]))
        await scheduler.waitFor(complete(world))
        expect(stateOf(world)).toEqual(expected)
        expect(world.invocations.length).toBe(1)
      }),
      { numRuns: 60 },
    )
  })
})

describe('an object that cannot be a source', () => {
  test.each<[string, Partial<StoredObject>, RegExp]>([
    ['appended to', { type: 'Appendable' }, /appending/],
    ['archived', { storageClass: 'Archive' }, /storage class Archive/],
    ['rarely used', { storageClass: 'IA' }, /storage class IA/],
    ['empty', { size: 0 }, /empty/],
    ['too large', { size: 5001 }, /at most 5000/],
  ])('because it is %s ends the upload, with the same answer every time', async (_, part, message) => {
    const world = await uploaded({ ...film, ...part })
    const refusal = { code: 'source_not_accepted', message: expect.stringMatching(message) }
    await expect(complete(world)).rejects.toMatchObject(refusal)
    await expect(complete(world)).rejects.toMatchObject(refusal)
    world.bucket.set(waiting.key, film)
    world.calls.length = 0
    await expect(complete(world)).rejects.toMatchObject(refusal)
    // Refused as it is, nobody else may read it.
    expect(world.calls).toEqual([`acl ${waiting.key}`])
    expect(stateOf(world)).toMatchObject({ tables: { uploads: [{ state: 'errored' }] } })
    expect(world.tables.rows('videos')).toEqual([])
    expect(world.invocations.length).toBe(0)
  })

  test.each([
    ['leads to a good file', film],
    ['leads nowhere', undefined],
  ])('because it is a symbolic link that %s ends the upload', async (_, target) => {
    const world = await uploaded()
    if (!target) world.deps.objects.head = async () => Promise.reject(new Error('the target does not exist'))
    world.symlinks.add(waiting.key)
    await expect(complete(world)).rejects.toMatchObject({
      code: 'source_not_accepted',
      message: expect.stringMatching(/symbolic link/),
    })
  })

  test('may not be told from a broken bucket: a failing HEAD decides nothing', async () => {
    const world = await uploaded()
    world.deps.objects.head = async () => Promise.reject(new Error('no answer'))
    await expect(complete(world)).rejects.toThrow('no answer')
    expect(world.tables.rows('uploads')).toMatchObject([{ state: 'waiting' }])
  })
})

describe('a source that is replaced', () => {
  test('after the upload is done ends the video, when an event or a repeat tells of it', async () => {
    const world = await uploaded()
    await complete(world)
    world.bucket.set(waiting.key, { ...film, etag: 'E2' })
    await onObject(eventOf(waiting.key), world.deps)
    expect(world.tables.rows('media')).toMatchObject([{ source_etag: 'E1', fault: 'source_changed' }])
    expect(await complete(world)).toMatchObject({ status: 'errored' })
  })

  test('by a link ends the video as well', async () => {
    const world = await uploaded()
    await complete(world)
    world.symlinks.add(waiting.key)
    expect(await complete(world)).toMatchObject({ status: 'errored' })
  })

  test('after the video is ready changes nothing', async () => {
    const world = await uploaded()
    await complete(world)
    const video = await world.deps.videos.find(waiting.videoId)
    if (!video) throw new Error('expected the video')
    await world.deps.videos.saveDerived(video, { ...video.derived, status: 'ready' })
    world.bucket.set(waiting.key, { ...film, etag: 'E2' })
    await complete(world)
    expect(world.tables.rows('media')).toMatchObject([{ fault: '' }])
  })

  test.each([
    ['by another file', { ...film, etag: 'E2' }],
    ['by nothing that could be a source', { ...film, etag: 'E2', size: 0 }],
  ])('%s while a complete was dying ends the video and not the upload', async (_, replacement) => {
    const world = await uploaded()
    await world.deps.uploads.move(waiting.uploadId, 'waiting', 'verifying')
    await world.deps.media.create({
      mediaId: waiting.mediaId,
      sourceKey: waiting.key,
      sourceEtag: 'E1',
      sizeBytes: 1234,
      crc64: '77',
    })
    world.bucket.set(waiting.key, replacement)
    expect(await complete(world)).toMatchObject({ status: 'errored' })
    expect(stateOf(world).tables).toMatchObject({ uploads: [{ state: 'done' }], media: [{ fault: 'source_changed' }] })
  })
})

describe('an upload that is over', () => {
  test.each(['cancelled', 'expired'] as const)('because it was %s stays over', async (state) => {
    const world = await uploaded()
    await world.deps.uploads.move(waiting.uploadId, 'waiting', state)
    await expect(complete(world)).rejects.toMatchObject({ code: 'upload_closed' })
    expect(world.tables.rows('media')).toEqual([])
  })

  test('because its video was deleted does not come back', async () => {
    const world = await uploaded()
    await complete(world)
    const video = await world.deps.videos.find(waiting.videoId)
    if (!video) throw new Error('expected the video')
    await world.deps.videos.markDeleted(video, 1)
    await expect(complete(world)).rejects.toMatchObject({ code: 'video_not_found' })
  })
})

describe('an event of the bucket', () => {
  test('about other keys is left alone', async () => {
    const world = await uploaded()
    for (const key of ['uploads/other/source', 'm/x/y.ts', 'uploads/upload0000000001/other', `x/${waiting.key}`]) {
      await onObject(eventOf(key), world.deps)
    }
    expect(world.tables.rows('uploads')).toMatchObject([{ state: 'waiting' }])
  })

  test('removes what arrives after the upload was cancelled', async () => {
    const world = await uploaded()
    await world.deps.uploads.move(waiting.uploadId, 'waiting', 'cancelled')
    await onObject(eventOf(waiting.key), world.deps)
    expect(world.calls).toEqual([`abort ${waiting.key}`, `remove ${waiting.key}`])
  })

  test('about an object that cannot be a source is not a failure of the function', async () => {
    const world = await uploaded({ ...film, size: 0 })
    await onObject(eventOf(waiting.key), world.deps)
    expect(world.tables.rows('uploads')).toMatchObject([{ state: 'errored' }])
  })

  test('fails when a service failed, after all its objects were looked at', async () => {
    const world = await uploaded()
    await world.deps.uploads.create({
      ...waiting,
      uploadId: 'broken0000000001',
      key: 'uploads/broken0000000001/source',
    })
    const { head } = world.deps.objects
    world.deps.objects.head = async (key) => (key === waiting.key ? head(key) : Promise.reject(new Error('no answer')))
    const events = [...eventOf('uploads/broken0000000001/source').events, ...eventOf(waiting.key).events]
    await expect(onObject({ events }, world.deps)).rejects.toThrow('no answer')
    expect((await world.deps.uploads.find(waiting.uploadId))?.state).toBe('done')
  })

  test('that is none is refused', async () => {
    await expect(onObject({ triggerName: 'x' }, newWorld().deps)).rejects.toThrow()
  })
})

function eventOf(key: string) {
  return {
    events: [{ eventName: 'ObjectCreated:PutObject', oss: { bucket: { name: 'b' }, object: { key, eTag: 'E' } } }],
  }
}

async function peaceful(): Promise<World> {
  const world = await uploaded()
  await complete(world)
  return world
}

async function operationsOfOne(): Promise<number> {
  let last = 0
  let from = -1
  const world = await uploaded(film, ({ index }) => {
    if (from === -1) from = index + 1
    last = index
  })
  await complete(world)
  return last + 1 - from
}

/** Creating the upload takes one operation; the nth after it dies, once. */
function uploadedThenDying(nth: number, phase: 'before' | 'after'): Promise<World> {
  let died = false
  return uploaded(film, (operation) => {
    if (died || operation.index !== nth + 1 || operation.phase !== phase) return
    died = true
    throw new Error('died')
  })
}
