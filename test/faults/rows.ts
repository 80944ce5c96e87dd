import { expect } from 'vitest'
import { beatsOf } from '../../web/beats.ts'

import { DAY, film, HOUR, NOW, waiting } from '../functions/world.ts'
import type { Cloud, RequestOptions } from './cloud.ts'
import type { Handler } from './faulty.ts'

/** The ETag under which `test/media/support.ts` serves a clip. */
export const ETAG = '0123456789ABCDEF'
const source = { ...film, etag: ETAG }
const { uploadId, videoId, mediaId, playbackId, key } = waiting
const ann = { authorization: 'Bearer session-of-ann' }
const keyed = { ...ann, 'idempotency-key': 'k' }
const VIEWER = 'viewer-0000000000000001'

export interface Row {
  readonly handler: Handler
  /** What there is before. */
  readonly given: string
  prepare(cloud: Cloud): Promise<unknown>
  /** What happens to the handler. */
  readonly event: string
  /** Answers what must be the same however it went; nothing where a repeat is answered otherwise. */
  happen(cloud: Cloud): Promise<unknown>
  /** How far the clock is moved afterwards; not at all when missing. */
  readonly until?: number
  /** What must be there in the end. */
  readonly end: object
}

const nothing = { tables: {}, objects: [], parts: [] }
const ready = {
  tables: {
    uploads: [{ state: 'done' }],
    videos: [{ status: 'ready', progress: 100, error: '' }],
    tasks: ['audio', 'check', 'probe', 'v0'].map((task_id) => ({ task_id, state: 'done', error: '' })),
    media: [{ fault: '' }],
    playbacks: [{ revoked: false }],
  },
  asked: ['audio', 'check', 'v0', 'probe'].map((task) => expect.stringContaining(`-${task}`)),
}

export const ROWS: readonly Row[] = [
  {
    handler: 'sts-token',
    given: 'nothing',
    prepare: nobody,
    event: 'an upload is begun with an Idempotency-Key',
    happen: ask('sts-token', 'POST', '/v1/uploads', {
      headers: keyed,
      body: { fileName: 'film.mp4', sizeBytes: 1000, contentType: 'video/mp4' },
    }),
    end: { tables: { uploads: [{ state: 'waiting' }] }, answer: { status: 201 } },
  },
  {
    handler: 'upload-notify',
    given: 'an upload whose bytes are there',
    prepare: uploaded,
    event: 'it is completed',
    happen: ask('upload-notify', 'POST', `/v1/uploads/${uploadId}/complete`, { headers: keyed, sentOnce: true }),
    until: NOW + 2 * DAY,
    end: { ...ready, answer: { status: 200 } },
  },
  {
    handler: 'upload-notify',
    given: 'an upload whose bytes are there',
    prepare: uploaded,
    event: 'OSS tells of the object',
    happen: (cloud) => cloud.object(key),
    until: NOW + 2 * DAY,
    end: ready,
  },
  {
    handler: 'upload-notify',
    given: 'an upload that was cancelled while bytes arrived',
    async prepare(cloud) {
      await uploaded(cloud)
      await cloud.world.deps.uploads.move(uploadId, 'waiting', 'cancelled')
    },
    event: 'OSS tells of the object',
    happen: (cloud) => cloud.object(key),
    until: NOW + 12 * DAY,
    end: nothing,
  },
  {
    handler: 'upload-notify',
    given: 'an upload that is under way',
    prepare: begun,
    event: 'fresh credentials are asked for',
    happen: ask('upload-notify', 'POST', `/v1/uploads/${uploadId}/credentials`, { headers: keyed }),
    end: { tables: { uploads: [{ state: 'uploading' }] }, answer: { status: 200 } },
  },
  {
    handler: 'upload-notify',
    given: 'an upload with parts and an object',
    async prepare(cloud) {
      await uploaded(cloud)
      cloud.world.parts.add(key)
    },
    event: 'it is cancelled',
    happen: ask('upload-notify', 'DELETE', `/v1/uploads/${uploadId}`, { headers: ann }),
    end: { tables: { uploads: [{ state: 'cancelled' }] }, objects: [], parts: [], answer: { status: 204 } },
  },
  {
    handler: 'upload-notify',
    given: 'an upload',
    prepare: begun,
    event: 'its state is asked for',
    happen: ask('upload-notify', 'GET', `/v1/uploads/${uploadId}`, { headers: ann }),
    end: { tables: { uploads: [{ state: 'waiting' }] }, answer: { status: 200 } },
  },
  {
    handler: 'ffmpeg-transcode',
    given: 'a video that was accepted',
    prepare: accepted,
    event: 'its probe, sound and pictures are asked for',
    happen: (cloud) => cloud.pump(),
    until: NOW + 2 * DAY,
    end: ready,
  },
  {
    handler: 'hls-index',
    given: 'a video that was accepted',
    prepare: accepted,
    event: 'its check is asked for',
    happen: (cloud) => cloud.pump(),
    until: NOW + 2 * DAY,
    end: ready,
  },
  {
    handler: 'mps-callback',
    given: 'a video that was accepted',
    prepare: accepted,
    event: 'workers say that something is new',
    happen: (cloud) => cloud.pump(),
    until: NOW + 2 * DAY,
    end: ready,
  },
  {
    handler: 'mps-callback',
    given: 'a video whose probe was killed',
    async prepare(cloud) {
      await accepted(cloud)
      await cloud.tables.tasks.claim(probe, 'w:1', cloud.world.clock.now + 90_000, cloud.world.clock.now)
      cloud.world.messages.length = 0
    },
    event: 'Function Compute says so',
    happen: (cloud) => cloud.failure(probe),
    until: NOW + 2 * DAY,
    end: ready,
  },
  ...['', '/master.m3u8', '/240p/index.m3u8', '/audio/0.ts'].map((path) => ({
    handler: 'play-redirect' as const,
    given: 'a video that is ready',
    prepare: made,
    event: `a viewer fetches /play/{id}${path}`,
    happen: ask('play-redirect', 'GET', `/play/${playbackId}${path}`),
    end: { ...ready, answer: { status: path.endsWith('.ts') ? 302 : 200 } },
  })),
  {
    handler: 'heartbeat',
    given: 'a video that is ready',
    prepare: made,
    event: 'a viewer watches',
    happen: watch,
    end: {
      tables: {
        progress: [{ position_ms: 9000 }],
        sessions: [{ watched_ms: 9000, counted: true }],
        counters: [{ n: 1 }],
      },
    },
  },
  {
    handler: 'heartbeat',
    given: 'a viewer who has watched',
    async prepare(cloud) {
      await made(cloud)
      await watch(cloud)
    },
    event: 'the place to resume is asked for',
    happen: ask('heartbeat', 'GET', `/v1/progress?playbackId=${playbackId}&viewerId=${VIEWER}`),
    end: { answer: { status: 200, text: expect.stringContaining('9000') } },
  },
  {
    handler: 'videos',
    given: 'nothing',
    prepare: nobody,
    event: 'somebody signs up with an Idempotency-Key',
    happen: ask('videos', 'POST', '/v1/accounts', {
      headers: { 'idempotency-key': 'k' },
      body: { username: 'ann', password: 'a password' },
    }),
    end: { tables: { accounts: [{ username: 'ann' }] }, answer: { status: 201 } },
  },
  {
    handler: 'videos',
    given: 'an account',
    prepare: (cloud) =>
      cloud.tables.accounts.create({
        accountId: 'a1',
        username: 'ann',
        passwordHash: 'hash-of-a password',
        tokenVersion: 1,
      }),
    event: 'she signs in',
    happen: ask('videos', 'POST', '/v1/sessions', { body: { username: 'ann', password: 'a password' } }),
    end: { tables: { accounts: [{ username: 'ann' }] }, answer: { status: 201 } },
  },
  ...['/v1/videos', `/v1/videos/${videoId}`].map((path) => ({
    handler: 'videos' as const,
    given: 'a video that is ready',
    prepare: made,
    event: `its owner fetches ${path}`,
    happen: ask('videos', 'GET', path, { headers: ann }),
    end: { ...ready, answer: { status: 200 } },
  })),
  {
    handler: 'videos',
    given: 'a video that is ready',
    prepare: made,
    event: 'its owner renames it',
    happen: ask('videos', 'PATCH', `/v1/videos/${videoId}`, { headers: ann, body: { title: 'Winter' } }),
    end: { tables: { videos: [{ title: 'Winter', status: 'ready' }] }, answer: { status: 200 } },
  },
  {
    handler: 'videos',
    given: 'a video that is being made',
    prepare: accepted,
    event: 'its owner deletes it',
    happen: remove,
    end: { tables: { playbacks: [{ revoked: true }], tasks: [{ task_id: 'probe', state: 'failed' }] } },
  },
  {
    handler: 'videos',
    given: 'a video that was deleted while it was being made',
    async prepare(cloud) {
      await accepted(cloud)
      await remove(cloud)
    },
    event: 'its owner restores it',
    happen: async (cloud) =>
      (await cloud.request('videos', 'POST', `/v1/videos/${videoId}/restore`, { headers: keyed }))?.status,
    until: NOW + 2 * DAY,
    end: { ...ready, answer: 200 },
  },
  {
    handler: 'sweep',
    given: 'an upload whose bytes are there, and nobody says so',
    prepare: uploaded,
    ...followed(NOW + 2 * DAY),
    end: ready,
  },
  {
    handler: 'sweep',
    given: 'an upload that is abandoned half-way',
    async prepare(cloud) {
      await begun(cloud)
      cloud.world.parts.add(key)
    },
    ...followed(NOW + 12 * DAY),
    end: nothing,
  },
  {
    handler: 'sweep',
    given: 'an object that cannot be a source',
    async prepare(cloud) {
      await begun(cloud)
      cloud.world.bucket.set(key, { ...source, size: 6000 })
    },
    ...followed(NOW + 12 * DAY),
    end: nothing,
  },
  {
    handler: 'sweep',
    given: 'a video whose worker died in silence',
    async prepare(cloud) {
      await accepted(cloud)
      await cloud.tables.tasks.claim(probe, 'w:1', cloud.world.clock.now + 90_000, cloud.world.clock.now)
      cloud.world.messages.length = 0
    },
    ...followed(NOW + 2 * DAY),
    end: ready,
  },
  {
    handler: 'sweep',
    given: 'a video that was watched and deleted',
    async prepare(cloud) {
      await made(cloud)
      await watch(cloud)
      await remove(cloud)
    },
    ...followed(NOW + 12 * DAY),
    end: nothing,
  },
]

const probe = { mediaId, planId: '', taskId: 'probe', kind: 'probe', attempt: 1 } as const

async function nobody(): Promise<void> {}

async function begun({ world }: Cloud): Promise<void> {
  await world.deps.due.put(`upload#${uploadId}`, NOW + HOUR)
  await world.deps.uploads.create(waiting)
}

async function uploaded(cloud: Cloud): Promise<void> {
  await begun(cloud)
  cloud.world.bucket.set(key, source)
}

async function accepted(cloud: Cloud): Promise<void> {
  await uploaded(cloud)
  await cloud.object(key)
}

async function made(cloud: Cloud): Promise<void> {
  await accepted(cloud)
  await cloud.rest(NOW + DAY)
}

function ask(handler: Handler, method: string, path: string, options: RequestOptions = {}) {
  return (cloud: Cloud) => cloud.request(handler, method, path, options)
}

/** A repeat finds nothing to delete, so the answer is left out. */
async function remove(cloud: Cloud): Promise<void> {
  const deleting = cloud.request('videos', 'DELETE', `/v1/videos/${videoId}`, { headers: ann })
  await deleting.catch((error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 'video_not_found')) throw error
  })
}

/** The timer comes every minute. */
function followed(until: number): Pick<Row, 'event' | 'happen' | 'until'> {
  return { event: 'the timer comes', happen: nobody, until }
}

/** The player's own reports of nine seconds; it sends again what was not answered. */
async function watch(cloud: Cloud): Promise<void> {
  const { clock } = cloud.world
  const sessionId = cloud.plays.issue(playbackId, 'S000000000000002', clock.now)
  const sent: Promise<unknown>[] = []
  let again: (() => void) | undefined
  const beats = beatsOf({
    viewing: { playbackId, sessionId, viewerId: VIEWER },
    quality: () => ({}),
    now: () => clock.now,
    send(body) {
      const answer = cloud.requestOnce('heartbeat', 'POST', '/v1/heartbeats', { body }).then(
        () => ({ nextBeatMs: 4000 }),
        () => 'again' as const,
      )
      sent.push(answer)
      return answer
    },
    leave() {},
    later(action) {
      again = action
      return () => {}
    },
  })
  const start = clock.now
  for (const [second, event] of [
    [0, 'play'],
    [4, 'seeked'],
    [8, 'seeked'],
    [9, 'pause'],
    [20, undefined],
  ] as const) {
    clock.now = start + second * 1000
    if (event) beats.note(event, { positionMs: second * 1000, playing: event !== 'pause' })
    else again?.()
    // What is sent leads to what is sent next.
    while (sent.length > 0) await sent.shift()
    await new Promise(setImmediate)
    while (sent.length > 0) await sent.shift()
  }
}
