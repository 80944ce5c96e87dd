import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { openDatabase, transact } from '../data/database.ts'
import { roomIn } from '../data/room.ts'
import type { OutputSettings } from './outputs.ts'
import type { OssFile } from './parameters.ts'
import type { Properties } from './properties.ts'
import type { SnapshotConfig } from './snapshots.ts'
import type { TemplateSettings } from './templates.ts'

/** How a job stands, whatever it does. */
export type Stage = 'submitted' | 'running' | 'success' | 'fail' | 'cancelled'

/** What became of the message that told of the end. */
export interface MessageResult {
  readonly MessageId?: string
  readonly ErrorCode?: string
  readonly ErrorMessage?: string
}

interface AnyJob {
  readonly id: string
  /** Of the request that submitted it. */
  readonly requestId: string
  /** Order of submission. */
  readonly seq: number
  readonly stage: Stage
  readonly input: OssFile
  readonly pipelineId?: string
  readonly userData?: string
  readonly createdAt: number
  readonly finishedAt?: number
  readonly code?: string
  readonly message?: string
  readonly notified?: MessageResult
  /** It has ended, and the message that tells of it has not been sent yet. */
  readonly isUntold?: true
}

export interface TranscodeJob extends AnyJob {
  readonly kind: 'transcode'
  readonly output: OutputSettings
  /** Where the result is, placeholders filled in. */
  readonly outputFile: OssFile
  readonly properties?: Properties
}

export interface SnapshotJob extends AnyJob {
  readonly kind: 'snapshot'
  readonly config: SnapshotConfig
  readonly count?: number
  readonly tileCount?: number
}

export interface MediaInfoJob extends AnyJob {
  readonly kind: 'info'
  readonly async: boolean
  readonly properties?: Properties
}

/** Anything that takes its time. */
export type Job = TranscodeJob | SnapshotJob | MediaInfoJob

/** What a pipeline tells of its jobs' ends. */
export interface NotifyConfig {
  readonly Topic?: string
  readonly QueueName?: string
}

export interface PipelineRecord {
  readonly id: string
  readonly name: string
  readonly state: 'Active' | 'Paused'
  readonly speed: string
  readonly speedLevel: number
  readonly notify: NotifyConfig
  readonly role: string
  readonly createdAt: number
}

export interface TemplateRecord {
  readonly id: string
  readonly name: string
  readonly state: 'Normal' | 'Deleted'
  readonly settings: TemplateSettings
  readonly createdAt: number
}

export interface BucketRecord {
  readonly bucket: string
  readonly type: 'Input' | 'Output'
  readonly referer: string
}

/** One kind of record by its id; what is written is on disk before the promise resolves. */
export interface Records<T> {
  get(id: string): T | undefined
  put(id: string, record: T): Promise<void>
  remove(id: string): Promise<void>
  all(): readonly T[]
}

export interface Store {
  readonly jobs: Records<Job>
  readonly pipelines: Records<PipelineRecord>
  readonly templates: Records<TemplateRecord>
  readonly buckets: Records<BucketRecord>
  close(): Promise<void>
}

/** Opens the records in a folder of their own. */
export function openStore(folder: string): Store {
  mkdirSync(folder, { recursive: true })
  const root = openDatabase({ path: folder, noSubdir: false, encoding: 'msgpack' })
  const room = roomIn(folder)
  function records<T>(name: string): Records<T> {
    const db = root.openDB<T, string>({ name })
    return {
      get: (id) => db.get(id),
      put: (id, record) => transact(root, () => room.put(db, id, record)),
      remove: (id) => transact(root, () => void db.remove(id)),
      all: () => [...db.getRange({})].map(({ value }) => value),
    }
  }
  return {
    jobs: records('jobs'),
    pipelines: records('pipelines'),
    templates: records('templates'),
    buckets: records('buckets'),
    close: () => root.close(),
  }
}

/** 32 hexadecimal digits, which is how everything here is called. */
export function newId(): string {
  return randomBytes(16).toString('hex')
}

/** As the service writes times. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
}
