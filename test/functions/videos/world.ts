import type { Deps } from '../../../functions/videos/route.ts'
import { onRequest } from '../../../functions/videos/route.ts'
import { drive } from '../../../shared/drive.ts'
import { AppError } from '../../../shared/errors.ts'
import type { TaskMessage } from '../../../shared/plan.ts'
import { accountsTable } from '../../../shared/tables/accounts.ts'
import { countersTable } from '../../../shared/tables/counters.ts'
import { dueTable } from '../../../shared/tables/due.ts'
import { idempotencyTable } from '../../../shared/tables/idempotency.ts'
import { playbacksTable } from '../../../shared/tables/playbacks.ts'
import { renditionsTable } from '../../../shared/tables/renditions.ts'
import { segmentsTable } from '../../../shared/tables/segments.ts'
import { type TasksTable, tasksTable } from '../../../shared/tables/tasks.ts'
import { type NewVideo, videosTable } from '../../../shared/tables/videos.ts'
import { memoryTables, type TableOperation } from '../../fakes/tables.ts'

export const NOW = Date.UTC(2030, 0, 1)

const indexes = [{ table: 'videos', index: 'videos_by_owner', columns: ['owner_id', 'listed_at', 'video_id'] }]

/** The management API over tables in memory; hashes and tokens are legible, so that no test waits for scrypt. */
export function newWorld(onOperation?: (operation: TableOperation) => void | Promise<void>) {
  const tables = memoryTables({ indexes, ...(onOperation ? { onOperation } : {}) })
  const sent: TaskMessage[] = []
  const pause = async () => {}
  const hashed: (string | undefined)[] = []
  let ids = 0
  const deps: Deps & { readonly tasks: TasksTable } = {
    accounts: accountsTable(tables),
    idempotency: idempotencyTable(tables),
    videos: videosTable(tables),
    playbacks: playbacksTable(tables),
    renditions: renditionsTable(tables),
    segments: segmentsTable(tables),
    tasks: tasksTable(tables),
    due: dueTable(tables),
    counters: countersTable(tables),
    drive: (mediaId) =>
      drive(mediaId, { tables, dispatch: async (message) => void sent.push(message), now: () => NOW, pause }),
    signup: 'open',
    hashPassword: async (password) => `hash-of-${password}`,
    async verifyPassword(password, hash) {
      hashed.push(hash)
      return hash === `hash-of-${password}`
    },
    openSession: async ({ accountId }) => ({ token: `session-of-${accountId}`, expiresAt: NOW + 1000 }),
    async verifySession(token) {
      if (!token.startsWith('session-of-')) throw new AppError('unauthenticated', 'Expected a session token')
      return { accountId: token.slice('session-of-'.length) }
    },
    newId() {
      ids += 1
      return `account${ids}`
    },
    now: () => NOW,
  }
  return { tables, deps, hashed, sent, ...client(deps) }
}

function client(deps: Deps) {
  const ask = async (method: string, path: string, owner = 'ann', body?: unknown) => {
    const headers = { authorization: `Bearer session-of-${owner}` }
    return read(await onRequest(new Request(`http://api${path}`, { method, headers, ...bodyOf(body) }), deps))
  }
  const post = async (path: string, body: unknown, headers: Record<string, string> = {}) =>
    read(await onRequest(new Request(`http://api${path}`, { method: 'POST', headers, ...bodyOf(body) }), deps))
  return { ask, post }
}

function bodyOf(body: unknown) {
  return body === undefined ? {} : { body: JSON.stringify(body) }
}

async function read(response: Response) {
  const text = await response.text()
  // biome-ignore lint/suspicious/noExplicitAny: a test looks at whatever came
  const json: any = text === '' ? {} : JSON.parse(text)
  return { status: response.status, data: json.data, nextCursor: json.nextCursor }
}

/** A video of Ann's, numbered. */
export function newVideo(number: number, part: Partial<NewVideo> = {}): NewVideo {
  const id = String(number).padStart(11, '0')
  return {
    videoId: `video${id}`,
    ownerId: 'ann',
    mediaId: `media${id}`,
    title: `film ${number}`,
    sourceContext: 'ctx',
    classId: 'c1',
    playbackIds: [`playb${id}`],
    sizeBytes: 100 + number,
    sourceKey: `uploads/${number}/source`,
    createdAt: NOW + number,
    ...part,
  }
}
