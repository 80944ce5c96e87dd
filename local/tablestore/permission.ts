import type { Identity } from '../wire/credentials.ts'
import { permits } from '../wire/policy.ts'
import { TablestoreError } from './errors.ts'
import { transactionMessage } from './messages.ts'
import { decode, repeated, required } from './protobuf.ts'
import { tableOfTransaction } from './transactions.ts'

/**
 * Refuses what a session's policy does not allow; a session without one may do everything. Operations on rows are judged
 * for each table that they name, an index by its own name, and all others for the instance.
 * https://help.aliyun.com/document_detail/27362.html
 */
export function requirePermission(identity: Identity, operation: string, instance: string, body: Buffer): void {
  const { policy, accountId } = identity
  if (policy === undefined) return
  const base = `acs:ots:${REGION}:${accountId}:instance/${instance}`
  const tables = tablesOf(operation, body)
  const resources = tables ? tables.map((table) => `${base}/table/${table}`) : [base]
  if (resources.every((resource) => permits(policy, { action: `ots:${operation}`, resource, context: {} }))) return
  throw new TablestoreError(
    'OTSNoPermissionAccess',
    'You have no permission to access the requested resource, please contact the resource owner',
  )
}

/** The local cloud has one region. */
const REGION = 'cn-hangzhou'
const ROW_OPERATIONS = new Set(['GetRow', 'PutRow', 'UpdateRow', 'DeleteRow', 'GetRange', 'StartLocalTransaction'])
const TRANSACTION_OPERATIONS = new Set(['CommitTransaction', 'AbortTransaction'])
const BATCH_OPERATIONS = new Set(['BatchGetRow', 'BatchWriteRow'])
const oneTable = { table: required(1, 'string') }
const severalTables = { tables: repeated(1, oneTable) }

/** Whose rows an operation is about; `undefined` when it is about none. */
function tablesOf(operation: string, body: Buffer): string[] | undefined {
  if (ROW_OPERATIONS.has(operation)) return [decode(oneTable, body).table]
  if (TRANSACTION_OPERATIONS.has(operation)) return [tableOfTransaction(decode(transactionMessage, body).id)]
  return BATCH_OPERATIONS.has(operation) ? decode(severalTables, body).tables.map(({ table }) => table) : undefined
}
