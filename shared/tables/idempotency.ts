import { type Row, type TableClient, winWrite } from './client.ts'

/** One POST that may be repeated: what its body was and what it made. Never the answer, which holds credentials. */
export interface Idempotency {
  readonly bodySha256: string
  /** Chosen before the work begins, so that a repeat after a crash makes the same thing. */
  readonly resourceId: string
}

export interface IdempotencyTable {
  /** Registers the request, or returns what the first one with this key registered. */
  begin(key: string, mine: Idempotency, at: number): Promise<Idempotency>
}

/** Keys are `{principal}#{route}#{key}`; rows live two days, promised is one. */
export function idempotencyTable(client: TableClient): IdempotencyTable {
  return {
    async begin(key, mine, at) {
      const rowKey = [['key', key]] as const
      const put = { body_sha256: mine.bodySha256, resource_id: mine.resourceId, at }
      if (await winWrite(client, { table: 'idempotency', key: rowKey, expect: 'absent', put })) return mine
      const row = await client.get('idempotency', rowKey)
      return row ? fromRow(row) : mine
    },
  }
}

function fromRow(row: Row): Idempotency {
  return { bodySha256: String(row.body_sha256), resourceId: String(row.resource_id) }
}
