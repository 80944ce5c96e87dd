import { createHash } from 'node:crypto'
import { OpenApiError, sessionAllows } from '../wire/acs3.ts'
import type { Credentials, Identity } from '../wire/credentials.ts'
import { mandatory } from '../wire/rpc.ts'

const MIN_DURATION_S = 900
const MAX_DURATION_S = 3600
const MAX_POLICY_CHARS = 2048

/** AssumeRole: limits and codes of https://www.alibabacloud.com/help/en/ram/developer-reference/api-sts-2015-04-01-assumerole */
export function assumeRole(parameters: URLSearchParams, identity: Identity, credentials: Credentials): object {
  const { accountId, role, arn } = parseRole(mandatory(parameters, 'RoleArn'))
  const sessionName = readSessionName(mandatory(parameters, 'RoleSessionName'))
  const durationSeconds = readDuration(parameters.get('DurationSeconds'))
  const policy = readPolicy(parameters.get('Policy'))
  for (const [name, pattern] of Object.entries(OPTIONAL)) checkForm(parameters, name, pattern)
  if (accountId !== credentials.accountId) {
    throw new OpenApiError(404, 'EntityNotExist.Role', 'The specified Role not exists .')
  }
  if (!sessionAllows(identity, 'sts:AssumeRole', arn)) {
    throw new OpenApiError(
      403,
      'NoPermission',
      'You are not authorized to do this action. You should be authorized by RAM.',
    )
  }
  const request = { role, sessionName, durationSeconds, ...(policy === undefined ? {} : { policy }) }
  const session = credentials.issue(request)
  const sourceIdentity = parameters.get('SourceIdentity')
  return {
    AssumedRoleUser: {
      Arn: `${arn}/${sessionName}`,
      AssumedRoleId: `${roleId(accountId, role)}:${sessionName}`,
    },
    Credentials: {
      AccessKeyId: session.accessKeyId,
      AccessKeySecret: session.accessKeySecret,
      SecurityToken: session.securityToken,
      Expiration: new Date(session.expiresAt).toISOString().replace('.000Z', 'Z'),
    },
    ...(sourceIdentity === null ? {} : { SourceIdentity: sourceIdentity }),
  }
}

/** GetCallerIdentity. */
export function callerIdentity(identity: Identity): object {
  const { accountId } = identity
  if (identity.kind === 'account') {
    return {
      IdentityType: 'Account',
      AccountId: accountId,
      PrincipalId: accountId,
      UserId: accountId,
      Arn: `acs:ram::${accountId}:root`,
    }
  }
  const role = identity.role ?? ''
  return {
    IdentityType: 'AssumedRoleUser',
    AccountId: accountId,
    PrincipalId: `${roleId(accountId, role)}:${identity.sessionName}`,
    RoleId: roleId(accountId, role),
    Arn: `acs:ram::${accountId}:assumed-role/${role}/${identity.sessionName}`,
  }
}

function parseRole(arn: string) {
  const match = /^acs:ram::(\d+):role\/([A-Za-z0-9.@_-]{1,64})$/.exec(arn)
  if (!match) throw invalid('RoleArn', 'The parameter RoleArn is wrongly formed.')
  const [, accountId = '', role = ''] = match
  return { accountId, role, arn }
}

function readSessionName(name: string): string {
  if (!/^[A-Za-z0-9.@_-]{2,64}$/.test(name)) {
    throw invalid('RoleSessionName', 'The parameter RoleSessionName is wrongly formed.')
  }
  return name
}

function readDuration(text: string | null): number {
  if (text === null) return MAX_DURATION_S
  const seconds = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (!(seconds >= MIN_DURATION_S && seconds <= MAX_DURATION_S)) {
    throw invalid('DurationSeconds', 'The Min/Max value of DurationSeconds is 15min/1hr.')
  }
  return seconds
}

function readPolicy(text: string | null): string | undefined {
  if (text === null) return undefined
  if (text.length < 1 || text.length > MAX_POLICY_CHARS) {
    throw invalid('PolicySize', `The size of Policy must be smaller than ${MAX_POLICY_CHARS} bytes.`)
  }
  if (!isPolicy(text)) throw invalid('PolicyGrammar', 'The parameter Policy has not passed grammar check.')
  return text
}

function isPolicy(text: string): boolean {
  const policy = parseJson(text)
  if (!isRecord(policy) || policy.Version !== '1') return false
  const statements = [policy.Statement].flat()
  return statements.length > 0 && statements.every(isStatement)
}

function isStatement(statement: unknown): boolean {
  if (!isRecord(statement)) return false
  const effect = statement.Effect
  const named = isWords(statement.Action ?? statement.NotAction) && isWords(statement.Resource ?? statement.NotResource)
  return (effect === 'Allow' || effect === 'Deny') && named
}

function isWords(value: unknown): boolean {
  const words = [value].flat()
  return words.length > 0 && words.every((word) => typeof word === 'string' && word !== '')
}

const OPTIONAL = {
  ExternalId: /^[\w+=,.@:/-]{2,1224}$/,
  SourceIdentity: /^(?!acs:|aliyun:|alibabacloud:)[\w+=,.@-]{2,64}$/,
  SerialNumber: /^acs:ram::\d+:mfa\/.{1,64}$/,
  TokenCode: /^\d{6}$/,
} as const

function checkForm(parameters: URLSearchParams, name: string, pattern: RegExp): void {
  const text = parameters.get(name)
  if (text !== null && !pattern.test(text)) throw invalid(name, `The parameter ${name} is wrongly formed.`)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function roleId(accountId: string, role: string): string {
  const digest = createHash('sha256').update(`${accountId}/${role}`).digest('hex')
  return `3${BigInt(`0x${digest.slice(0, 12)}`)
    .toString()
    .padStart(15, '0')
    .slice(0, 15)}`
}

function invalid(what: string, message: string): OpenApiError {
  return new OpenApiError(400, `InvalidParameter.${what}`, message)
}
