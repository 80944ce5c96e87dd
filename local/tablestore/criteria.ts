import { type Filter, parseFilter, passes } from './conditions.ts'
import { invalid, unsupported } from './errors.ts'
import { arrangeCells, type Row } from './rows.ts'
import { checkColumnName, type Table } from './schema.ts'
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
}

const MAX_COLUMNS_TO_GET = 1024

/** What one row, or a range of rows, is told that is asked for without versions; a batch says more. */
const NO_VERSIONS = 'No version condition is specified.'

/** Reads the fields that GetRow, BatchGetRow and GetRange have in common. */
export function parseCriteria(message: CriteriaMessage, noVersions = NO_VERSIONS): Criteria {
  const { columns, timeRange, maxVersions } = message
  if (message.token?.length) throw unsupported('wide row token')
  if (columns.length > MAX_COLUMNS_TO_GET) {
    throw invalid(
      `The number of columns from the request exceeds the limit, limit count: ${MAX_COLUMNS_TO_GET}, column count: ${columns.length}.`,
    )
  }
  for (const name of columns) checkColumnName(name)
  const filter = message.filter?.length ? parseFilter(message.filter) : undefined
  if (maxVersions === undefined && !timeRange) throw invalid(noVersions)
  if (maxVersions !== undefined && maxVersions <= 0) {
    throw invalid(`Invalid max versions: ${maxVersions}. Reason: Max versions must be positive.`)
  }
  return {
    columns: new Set(columns),
    startColumn: message.startColumn,
    endColumn: message.endColumn,
    maxVersions: maxVersions ?? Number.MAX_SAFE_INTEGER,
    ...parseTimes(timeRange),
    filter,
  }
}

/**
 * What a reader gets of a row. A row that has none of the columns asked for by name, or does not pass the filter, is not
 * there; the filter sees only the wanted columns, and those of the key, as the Java SDK's UnifiedFilterAdvanceTest says.
 * A row whose versions are all outside the wanted time is there without any, as the Go SDK's TestBatchGetRow and
 * TestGetRange say.
 * https://www.alibabacloud.com/help/en/tablestore/developer-reference/getrange
 */
export function select(table: Table, row: Row, criteria: Criteria): Row | undefined {
  const wanted = row.cells.filter((cell) => wants(criteria, cell))
  const cells = arrangeCells(wanted, Math.min(criteria.maxVersions, table.options.maxVersions))
  const { filter, columns } = criteria
  if (columns.size > 0 && cells.length === 0 && !row.key.some((column) => columns.has(column.name))) return undefined
  if (filter && !passes(filter, [...keyCells(row), ...cells])) return undefined
  return { ...row, cells: filter?.kind === 'page' ? page(cells, filter.offset, filter.limit) : cells }
}

function keyCells({ key }: Row): Cell[] {
  return key.map(({ name, value }) => ({ name, value, timestamp: 0 }))
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
