import { ManifestError, record, text } from '../manifest-error.ts'
import { type AliasRecord, numbered, type VersionRecord } from '../records.ts'
import { type ApiCall, type ApiContext, alreadyExists, isoTime, notFound, type Operation, page, part } from './call.ts'
import { existing, functionOf } from './functions.ts'

/** PublishFunctionVersion: the function as it is now gets a number of its own. */
export const publishFunctionVersion: Operation = async (call, context) => {
  const { records, catalog } = context
  functionOf(call, context)
  const description = readDescription(call.body)
  const published = await catalog.commit(() => {
    const latest = functionOf(call, context)
    const versionId = String(latest.lastVersion + 1)
    const version: VersionRecord = { versionId, description, createdAt: context.now(), function: latest }
    records.functions.put({ ...latest, lastVersion: latest.lastVersion + 1 }, latest.functionName)
    records.versions.put(version, latest.functionName, numbered(versionId))
    return version
  })
  return describeVersion(published)
}

/** ListFunctionVersions: the newest first, unless it is said otherwise. */
export const listFunctionVersions: Operation = (call, context) => {
  const { functionName } = functionOf(call, context)
  const direction = call.query.get('direction') || 'BACKWARD'
  if (direction !== 'BACKWARD' && direction !== 'FORWARD')
    throw new ManifestError('direction', 'expected BACKWARD or FORWARD')
  const all = context.records.versions.list(functionName)
  const ordered = direction === 'BACKWARD' ? all.toReversed() : all
  const { items, ...next } = page(ordered, ({ versionId }) => versionId, call)
  return { versions: items.map(describeVersion), direction, ...next }
}

/** DeleteFunctionVersion, unless an alias leads to it. */
export const deleteFunctionVersion: Operation = async (call, context) => {
  const { records, catalog, fleet } = context
  const { functionName } = functionOf(call, context)
  const versionId = part(call, 'versionId')
  requireVersion(context, functionName, versionId)
  const alias = records.aliases
    .list(functionName)
    .find((one) => one.versionId === versionId || versionId in one.additionalVersionWeight)
  if (alias) throw new ManifestError('versionId', `alias '${alias.aliasName}' leads to version '${versionId}'`)
  await catalog.commit(() => records.versions.remove(functionName, numbered(versionId)))
  fleet.refresh(functionName)
  return undefined
}

/** CreateAlias. */
export const createAlias: Operation = async (call, context) => {
  const { records, catalog, now } = context
  const { functionName } = functionOf(call, context)
  const aliasName = text(call.body.aliasName, 'aliasName')
  if (!/^(?!LATEST$)[A-Za-z_][A-Za-z0-9_-]{0,127}$/.test(aliasName)) {
    throw new ManifestError(
      'aliasName',
      'expected 1 to 128 of A-Z a-z 0-9 _ -, not LATEST, not starting with a digit or -',
    )
  }
  const created = await catalog.commit(() => {
    if (records.aliases.get(functionName, aliasName)) {
      throw alreadyExists('AliasAlreadyExists', `alias '${aliasName}' of function '${functionName}' already exists`)
    }
    const versionId = text(call.body.versionId, 'versionId')
    const at = now()
    const fresh = { aliasName, versionId, description: '', additionalVersionWeight: {}, createdAt: at, modifiedAt: at }
    return keepAlias(functionName, withChanges(fresh, call.body), context)
  })
  return describeAlias(created)
}

/** GetAlias. */
export const getAlias: Operation = (call, context) => describeAlias(aliasOf(call, context))

/** UpdateAlias: what is not said stays. */
export const updateAlias: Operation = async (call, context) => {
  const { functionName } = functionOf(call, context)
  const updated = await context.catalog.commit(() => {
    const changed = { ...withChanges(aliasOf(call, context), call.body), modifiedAt: context.now() }
    return keepAlias(functionName, changed, context)
  })
  return describeAlias(updated)
}

/** ListAliases. */
export const listAliases: Operation = (call, context) => {
  const { functionName } = functionOf(call, context)
  const prefix = call.query.get('prefix') ?? ''
  const all = context.records.aliases.list(functionName).filter(({ aliasName }) => aliasName.startsWith(prefix))
  const { items, ...next } = page(all, ({ aliasName }) => aliasName, call)
  return { aliases: items.map(describeAlias), ...next }
}

/** DeleteAlias. */
export const deleteAlias: Operation = async (call, context) => {
  const { functionName } = functionOf(call, context)
  const { aliasName } = aliasOf(call, context)
  await context.catalog.commit(() => context.records.aliases.remove(functionName, aliasName))
  return undefined
}

function withChanges(alias: AliasRecord, body: ApiCall['body']): AliasRecord {
  const { versionId, additionalVersionWeight } = body
  return {
    ...alias,
    ...(versionId === undefined ? {} : { versionId: text(versionId, 'versionId') }),
    ...(body.description === undefined ? {} : { description: readDescription(body) }),
    ...(additionalVersionWeight === undefined ? {} : { additionalVersionWeight: readWeights(additionalVersionWeight) }),
  }
}

/** One further version at most, with a part of the invocations. */
function readWeights(value: unknown): Record<string, number> {
  const entries = Object.entries(record(value ?? {}, 'additionalVersionWeight'))
  const weights = entries.map(([versionId, weight]) => {
    if (typeof weight === 'number' && weight >= 0 && weight <= 1) return [versionId, weight] as const
    throw new ManifestError('additionalVersionWeight', 'expected weights from 0 to 1')
  })
  if (weights.length > 1) throw new ManifestError('additionalVersionWeight', 'expected one version at most')
  return Object.fromEntries(weights)
}

function keepAlias(functionName: string, alias: AliasRecord, context: ApiContext): AliasRecord {
  for (const id of [alias.versionId, ...Object.keys(alias.additionalVersionWeight)]) {
    if (id !== 'LATEST') requireVersion(context, functionName, id)
  }
  context.records.aliases.put(alias, functionName, alias.aliasName)
  return alias
}

function requireVersion({ records }: ApiContext, functionName: string, versionId: string): void {
  if (/^\d+$/.test(versionId) && records.versions.get(functionName, numbered(versionId))) return
  throw notFound('VersionNotFound', `version '${versionId}' of function '${functionName}' does not exist`)
}

function aliasOf(call: ApiCall, context: ApiContext): AliasRecord {
  const { functionName } = existing(context, part(call, 'functionName'))
  const aliasName = part(call, 'aliasName')
  const found = context.records.aliases.get(functionName, aliasName)
  if (!found) throw notFound('AliasNotFound', `alias '${aliasName}' of function '${functionName}' does not exist`)
  return found
}

function readDescription({ description }: ApiCall['body']): string {
  if (description === undefined || description === null) return ''
  if (typeof description === 'string' && description.length <= 256) return description
  throw new ManifestError('description', 'expected text of at most 256 characters')
}

function describeVersion({ versionId, description, createdAt }: VersionRecord): object {
  return { versionId, description, createdTime: isoTime(createdAt), lastModifiedTime: isoTime(createdAt) }
}

function describeAlias({ createdAt, modifiedAt, ...rest }: AliasRecord): object {
  return { ...rest, createdTime: isoTime(createdAt), lastModifiedTime: isoTime(modifiedAt) }
}
