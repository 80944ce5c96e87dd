import { createHash } from 'node:crypto'
import { consumed } from './capacity.ts'
import { invalid, TablestoreError } from './errors.ts'
import {
  describeStreamRequest,
  describeStreamResponse,
  getShardIteratorRequest,
  getShardIteratorResponse,
  getStreamRecordRequest,
  getStreamRecordResponse,
  listStreamRequest,
  listStreamResponse,
} from './messages.ts'
import { decode, encode } from './protobuf.ts'
import type { StreamSetting, Table } from './schema.ts'
import { findTable, type Store } from './store.ts'

/** https://www.alibabacloud.com/help/en/tablestore/developer-reference/getstreamrecord */
const LIMITS = { records: 1000, bytes: 4 * 1024 * 1024 } as const

interface Stream {
  readonly table: Table
  readonly setting: StreamSetting
}

export async function listStream(store: Store, body: Buffer): Promise<Buffer> {
  const { table } = decode(listStreamRequest, body)
  const tables = table === undefined ? store.tables() : [findTable(store, table)]
  const streams = tables.flatMap(({ name, stream }) =>
    stream ? [{ id: stream.id, table: name, createdAt: microseconds(stream.enabledAt) }] : [],
  )
  return encode(listStreamResponse, { streams })
}

/** Partitions are never split here, so a stream has one shard. */
export async function describeStream(store: Store, body: Buffer): Promise<Buffer> {
  const request = decode(describeStreamRequest, body)
  const { table, setting } = findStream(store, request.id)
  const shard = shardOf(setting)
  if (request.fromShard !== undefined && request.fromShard !== shard) throw noShard()
  return encode(describeStreamResponse, {
    id: setting.id,
    expirationHours: setting.expirationHours,
    table: table.name,
    createdAt: microseconds(setting.enabledAt),
    status: 2,
    shards: [{ id: shard }],
  })
}

export async function getShardIterator(store: Store, body: Buffer): Promise<Buffer> {
  const request = decode(getShardIteratorRequest, body)
  const { setting } = findStream(store, request.id)
  if (request.shard !== shardOf(setting)) throw noShard()
  return encode(getShardIteratorResponse, { iterator: iteratorAt(setting, request.timestamp ?? 0n) })
}

export async function getStreamRecord(store: Store, body: Buffer, now: number): Promise<Buffer> {
  const request = decode(getStreamRecordRequest, body)
  if (request.limit !== undefined && request.limit <= 0) throw invalid('The limit must be greater than 0.')
  const { id, from } = parseIterator(request.iterator)
  const { table, setting } = findStream(store, id)
  const limit = Math.min(request.limit ?? LIMITS.records, LIMITS.records)
  const records: { kind: number; change: Buffer; origin?: Buffer }[] = []
  let next = from
  let bytes = 0
  let more = false
  for (const { kind, sequence, change, origin } of store.streams.read(table, from, now)) {
    more = records.length >= limit || (bytes > 0 && bytes + change.length > LIMITS.bytes)
    if (more) break
    records.push({ kind: { put: 1, update: 2, delete: 3 }[kind], change, ...(origin.length > 0 ? { origin } : {}) })
    bytes += change.length
    next = sequence + 1n
  }
  return encode(getStreamRecordResponse, {
    records,
    next: iteratorAt(setting, next),
    consumed: consumed(bytes, undefined),
    more,
  })
}

function findStream(store: Store, id: string): Stream {
  const table = store.tables().find(({ stream }) => stream?.id === id)
  if (!table?.stream) throw new TablestoreError('OTSObjectNotExist', 'Requested stream does not exist.')
  return { table, setting: table.stream }
}

function shardOf(setting: StreamSetting): string {
  const hash = createHash('md5').update(setting.id).digest('hex')
  return [hash.slice(0, 8), hash.slice(8, 12), hash.slice(12, 16), hash.slice(16, 20), hash.slice(20)].join('-')
}

function iteratorAt(setting: StreamSetting, from: bigint): string {
  return Buffer.from(`${setting.id}\n${from}`).toString('base64url')
}

function parseIterator(iterator: string): { id: string; from: bigint } {
  const [id = '', from = ''] = Buffer.from(iterator, 'base64url').toString().split('\n')
  if (!/^\d{1,19}$/.test(from)) throw invalid(`Invalid shard iterator: '${iterator}'.`)
  return { id, from: BigInt(from) }
}

function noShard(): TablestoreError {
  return new TablestoreError('OTSObjectNotExist', 'Requested shard does not exist.')
}

function microseconds(at: number): bigint {
  return BigInt(Math.floor(at)) * 1000n
}
