import type { Identity } from '../wire/credentials.ts'
import { TablestoreError } from './errors.ts'

/**
 * Refuses what a session's own policy does not allow; a session without one may do what its role may. Resources are
 * matched as a whole instance, and statements with conditions never allow and always deny, since none is understood here.
 * https://www.alibabacloud.com/help/en/ram/policy-structure-and-syntax
 */
export function requirePermission(identity: Identity, operation: string, instance: string): void {
  if (identity.policy === undefined) return
  const statements = statementsOf(identity.policy)
  const resource = `acs:ots:*:${identity.accountId}:instance/${instance}`
  const applying = statements.filter(
    (statement) => matches(statement.Action, `ots:${operation}`) && matches(statement.Resource, resource),
  )
  const denied = applying.some((statement) => statement.Effect === 'Deny')
  const allowed = applying.some((statement) => statement.Effect === 'Allow' && statement.Condition === undefined)
  if (denied || !allowed) {
    throw new TablestoreError(
      'OTSNoPermissionAccess',
      'You have no permission to access the requested resource, please contact the resource owner',
    )
  }
}

interface Statement {
  readonly Effect?: unknown
  readonly Action?: unknown
  readonly Resource?: unknown
  readonly Condition?: unknown
}

function statementsOf(policy: string): readonly Statement[] {
  try {
    const { Statement } = JSON.parse(policy) as { Statement?: Statement | readonly Statement[] }
    return Array.isArray(Statement) ? Statement : Statement ? [Statement as Statement] : []
  } catch {
    return []
  }
}

function matches(patterns: unknown, text: string): boolean {
  return [patterns].flat().some((pattern) => {
    if (typeof pattern !== 'string') return false
    const expression = pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')
    return new RegExp(`^${expression}$`, 'i').test(text)
  })
}
