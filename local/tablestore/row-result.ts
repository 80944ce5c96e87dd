import { TablestoreError } from './errors.ts'
import type { RowInBatch } from './messages.ts'

/** One row's part of a batch answer: a refusal of this row is told in its place and leaves the others alone. */
export function failedRow(work: () => RowInBatch): RowInBatch {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof TablestoreError)) throw error
    return { ok: false, error: { code: error.code, message: error.message } }
  }
}
