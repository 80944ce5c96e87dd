import { type Filter, parseFilter, passes } from './conditions.ts'
import { invalid, unsupported } from './errors.ts'
import { arrangeCells, type Row } from './rows.ts'
import type { Table } from './schema.ts'
import type { Cell } from './values.ts'

/** Which columns and versions a read wants, and of which rows. */
export interface Criteria {
  /** Empty means all. */
  readonly columns: ReadonlySet<string>
  readonly startColumn: string | undefined
  readonly endColumn: string | undefined
  readonly maxVersions: number
  /** From (inclusive) and to (exclusive) in milliseconds. */
  readonly from: number
  readonly to: number
  readonly filter: Filter | undefined
}

interface CriteriaMessage {
  readonly columns: readonly string[]
  readonly timeRange?:
    | { readonly start?: bigint | undefined; readonly end?: bigint | undefined; readonly specific?: bigint | undefined }
    | undefined
  readonly maxVersions?: number | undefined
  readonly filter?: Buffer | undefined
  readonly startColumn?: string | undefined
  readonly endColumn?: string | undefined
  readonly token?: Buffer | undefined
  readonly transaction?: string | undefined
}

const MAX_COLUMNS_TO_GET = 128

/** Reads the fields that GetRow, BatchGetRow and GetRange have in common. */
export function parseCriteria(message: CriteriaMessage): Criteria {
  const { columns, timeRange, maxVersions } = message
  if (message.transaction) refuseTransaction()
  if (message.token?.length) throw unsupported('wide row token')
  if (maxVersions === undefined && !timeRange) throw invalid('No version condition is specified while querying row.')
  if (maxVersions !== undefined && maxVersions <= 0) {
    throw invalid(`Invalid max versions: ${maxVersions}. Reason: Max versions must be positive.`)
  }
  if (columns.length > MAX_COLUMNS_TO_GET) {
    throw invalid(
      `The number of columns from the request exceeds the limit, limit count: ${MAX_COLUMNS_TO_GET}, column count: ${columns.length}.`,
    )
  }
  return {
    columns: new Set(columns),
    startColumn: message.startColumn,
    endColumn: message.endColumn,
    maxVersions: maxVersions ?? Number.MAX_SAFE_INTEGER,
    ...parseTimes(timeRange),
    filter: message.filter?.length ? parseFilter(message.filter) : undefined,
  }
}

/** Local transactions are switched on by hand in the real service; here they are never on. */
export function refuseTransaction(): never {
  throw invalid('Try to call method using explicit transaction on explicit-transaction-disabled table')
}

/**
 * What a reader gets of a row. A row that has none of the wanted columns, or does not pass the filter, is not there;
 * the filter sees only the wanted columns.
 * https://www.alibabacloud.com/help/en/tablestore/developer-reference/getrange
 */
export function select(table: Table, row: Row, criteria: Criteria): Row | undefined {
  const wanted = row.cells.filter((cell) => wants(criteria, cell))
  const cells = arrangeCells(wanted, Math.min(criteria.maxVersions, table.options.maxVersions))
  const { filter, columns } = criteria
  const bare = cells.length === 0 && !row.key.some((column) => columns.has(column.name))
  if (bare && (columns.size > 0 || row.cells.length > 0)) return undefined
  if (filter && !passes(filter, cells)) return undefined
  return { ...row, cells: filter?.kind === 'page' ? page(cells, filter.offset, filter.limit) : cells }
}

function wants({ columns, startColumn, endColumn, from, to }: Criteria, cell: Cell): boolean {
  if (columns.size > 0 && !columns.has(cell.name)) return false
  if (startColumn && cell.name < startColumn) return false
  if (endColumn && cell.name >= endColumn) return false
  return cell.timestamp >= from && cell.timestamp < to
}

function page(cells: readonly Cell[], offset: number, limit: number): Cell[] {
  const names = new Set([...new Set(cells.map((cell) => cell.name))].slice(offset, offset + limit))
  return cells.filter((cell) => names.has(cell.name))
}

function parseTimes(range: CriteriaMessage['timeRange']): { from: number; to: number } {
  if (!range) return { from: 0, to: Number.POSITIVE_INFINITY }
  const { start, end, specific } = range
  if (specific !== undefined) {
    if (start !== undefined || end !== undefined) {
      throw invalid('Specific tiemstamp and time range cannot be given at the same time.')
    }
    if (specific < 0n) throw invalid('Specific timestamp cannot be less than 0.')
    return { from: Number(specific), to: Number(specific) + 1 }
  }
  if (start === undefined || end === undefined) throw invalid('Start and end time must be given at the same time.')
  return { from: Number(start), to: Number(end) }
}
