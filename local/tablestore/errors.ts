/**
 * The service's own error codes and the HTTP status each one comes with.
 * https://www.alibabacloud.com/help/en/tablestore/developer-reference/error-codes
 */
const STATUS = {
  OTSAuthFailed: 403,
  OTSNoPermissionAccess: 403,
  OTSConditionCheckFail: 403,
  OTSQuotaExhausted: 403,
  OTSParameterInvalid: 400,
  OTSInvalidPK: 400,
  OTSDataOutOfRange: 400,
  OTSOutOfTransactionDataSizeLimit: 400,
  OTSUnsupportOperation: 400,
  OTSObjectNotExist: 404,
  OTSSessionNotExist: 404,
  OTSMethodNotAllowed: 405,
  OTSObjectAlreadyExist: 409,
  OTSRowOperationConflict: 409,
  OTSRequestBodyTooLarge: 413,
  OTSInternalServerError: 500,
  OTSServerBusy: 503,
} as const

/** A code that the real service answers with. */
export type TablestoreCode = keyof typeof STATUS

/** A refusal that the client sees as protobuf `Error{code, message}`, for a whole request or for one row of a batch. */
export class TablestoreError extends Error {
  readonly code: TablestoreCode

  constructor(code: TablestoreCode, message: string) {
    super(message)
    this.name = 'TablestoreError'
    this.code = code
  }

  /** HTTP status of the code. */
  get status(): number {
    return STATUS[this.code]
  }
}

/** The refusal of anything that is malformed or out of bounds. */
export function invalid(message: string): TablestoreError {
  return new TablestoreError('OTSParameterInvalid', message)
}

/** The refusal of what the local service lacks. */
export function unsupported(what: string): TablestoreError {
  return new TablestoreError('OTSUnsupportOperation', `Unsupported operation: '${what}'.`)
}
