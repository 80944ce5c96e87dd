import { invalid } from './errors.ts'
import { compositeFilter, filterMessage, paginationFilter, singleColumnFilter } from './messages.ts'
import { readVariant } from './plain-buffer-reader.ts'
import { decode } from './protobuf.ts'
import { checkColumnName, checkValueSize } from './schema.ts'
import { parseTransfer, type Transfer } from './transfer.ts'
import { type Cell, compareValues, type Value } from './values.ts'

/** A filter of a read or the column condition of a write. */
export type Filter = ColumnTest | PageFilter

type ColumnTest = SingleTest | CompositeTest

interface SingleTest {
  readonly kind: 'single'
  readonly column: string
  /** Whether there is such a value; where nothing is compared. */
  readonly exists?: boolean
  readonly operand: Value | undefined
  readonly passes: (order: number) => boolean
  /** What is made of a value before it is compared. */
  readonly transfer: Transfer | undefined
  readonly passIfMissing: boolean
  readonly latestVersionOnly: boolean
}

interface CompositeTest {
  readonly kind: 'and' | 'or' | 'not'
  readonly tests: readonly ColumnTest[]
}

/** Keeps `limit` columns of a wide row from the `offset`th on. */
export interface PageFilter {
  readonly kind: 'page'
  readonly offset: number
  readonly limit: number
}

/** Conditions and what combines them, as the Java SDK's UnifiedFilterRestrictionAndParamCheckingTest counts them. */
const MAX_FILTERS = 32

const PASSES: readonly (((order: number) => boolean) | undefined)[] = [
  undefined,
  (order) => order === 0,
  (order) => order !== 0,
  (order) => order > 0,
  (order) => order >= 0,
  (order) => order < 0,
  (order) => order <= 0,
]

/** CT_EXIST and CT_NOT_EXIST. */
const EXISTENCE: Readonly<Record<number, boolean>> = { 7: true, 8: false }

/** Reads a serialized `Filter`. */
export function parseFilter(bytes: Buffer): Filter {
  const message = decode(filterMessage, bytes)
  if (message.type === 3) return parsePage(message.filter)
  return parseTest(message.type, message.filter, { left: MAX_FILTERS })
}

/** Reads the column condition of a write, which cannot page. */
export function parseCondition(bytes: Buffer): Filter {
  const filter = parseFilter(bytes)
  if (filter.kind === 'page') throw invalid('Invalid type of filter: FT_COLUMN_PAGINATION.')
  return filter
}

/** Whether a row's cells pass; a page filter passes every row. */
export function passes(filter: Filter, cells: readonly Cell[]): boolean {
  switch (filter.kind) {
    case 'page':
      return true
    case 'and':
      return filter.tests.every((test) => passes(test, cells))
    case 'or':
      return filter.tests.some((test) => passes(test, cells))
    case 'not':
      return !filter.tests.some((test) => passes(test, cells))
    case 'single':
      return passesSingle(filter, cells)
  }
}

function passesSingle(test: SingleTest, cells: readonly Cell[]): boolean {
  const { transfer, operand } = test
  const versions = cells.filter((cell) => cell.name === test.column)
  const values = (test.latestVersionOnly ? versions.slice(0, 1) : versions).flatMap(({ value }) => {
    const made = transfer ? transfer(value) : value
    return made ? [made] : []
  })
  if (test.exists !== undefined) return values.length > 0 === test.exists
  if (versions.length === 0) return test.passIfMissing
  return values.some((value) => {
    const order = operand && compareValues(value, operand)
    return order !== undefined && test.passes(order)
  })
}

function parsePage(bytes: Buffer): PageFilter {
  const { offset, limit } = decode(paginationFilter, bytes)
  if (offset < 0) throw invalid('Offset in ColumnPaginationFilter must be greater than or equal to 0.')
  if (limit <= 0) throw invalid('Limit in ColumnPaginationFilter must be greater than 0.')
  return { kind: 'page', offset, limit }
}

function parseTest(type: number, bytes: Buffer, budget: { left: number }): ColumnTest {
  if (--budget.left < 0) throw invalid(`The count of filter exceeds the max: ${MAX_FILTERS}.`)
  if (type === 1) return parseSingle(bytes)
  if (type === 2) return parseComposite(bytes, budget)
  throw invalid(`Invalid type of sub-filter: ${type}.`)
}

function parseSingle(bytes: Buffer): SingleTest {
  const message = decode(singleColumnFilter, bytes)
  const exists = EXISTENCE[message.comparator]
  const comparison = PASSES[message.comparator]
  if (!comparison && exists === undefined) throw invalid(`Invalid relation operator: ${message.comparator}.`)
  checkColumnName(message.column)
  const operand = exists === undefined ? readVariant(message.value) : undefined
  if (operand) checkValueSize(message.column, operand)
  return {
    kind: 'single',
    column: message.column,
    ...(exists === undefined ? {} : { exists }),
    operand,
    passes: comparison ?? (() => false),
    transfer: message.transfer && parseTransfer(message.transfer),
    passIfMissing: !message.filterIfMissing,
    latestVersionOnly: message.latestVersionOnly,
  }
}

function parseComposite(bytes: Buffer, budget: { left: number }): CompositeTest {
  const { combinator, filters } = decode(compositeFilter, bytes)
  const kind = ([undefined, 'not', 'and', 'or'] as const)[combinator]
  if (!kind) throw invalid(`Invalid relation operator: ${combinator}.`)
  // That there are too many is told before that they do not fit.
  const tests = filters.map((filter) => parseTest(filter.type, filter.filter, budget))
  if (kind === 'not' && tests.length !== 1) {
    throw invalid('Invalid NOT operator: the number of sub-filters must be 1.')
  }
  if (kind !== 'not' && tests.length < 2) {
    throw invalid('Invalid AND/OR operator: the number of sub-filters must be more than 1.')
  }
  return { kind, tests }
}
