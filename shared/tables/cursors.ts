import type { TableClient } from './client.ts'

/** How far somebody has come who walks through everything, a little at a time. */
export interface Cursor {
  /** Which part is being walked through; one past the last part when all are done. */
  readonly part: number
  /** Where in that part to go on; empty at its beginning. */
  readonly from: string
  /** When this round began. */
  readonly startedAt: number
}

export interface CursorsTable {
  find(name: string): Promise<Cursor | undefined>
  /** Two who walk at once repeat some of each other's steps, which does no harm; so the last one counts. */
  save(name: string, cursor: Cursor): Promise<void>
}

/** Places to go on from after a pause or a crash. */
export function cursorsTable(client: TableClient): CursorsTable {
  const keyOf = (name: string) => [['name', name]] as const
  return {
    async find(name) {
      const row = await client.get('cursors', keyOf(name))
      return row && { part: Number(row.part), from: String(row.from_key), startedAt: Number(row.started_at) }
    },
    async save(name, { part, from, startedAt }) {
      const put = { part, from_key: from, started_at: startedAt }
      await client.write({ table: 'cursors', key: keyOf(name), expect: 'any', put })
    },
  }
}
