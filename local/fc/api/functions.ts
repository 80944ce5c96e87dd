import {
  type CodeRef,
  changedFunction,
  type FunctionRecord,
  newFunction,
  readFunctionName,
  readSpec,
  whyNotRun,
} from '../function-record.ts'
import { checksumOf } from '../packages.ts'
import { numbered } from '../records.ts'
import {
  type ApiCall,
  type ApiContext,
  alreadyExists,
  arnOf,
  isoTime,
  notFound,
  type Operation,
  page,
  part,
  qualifierOf,
} from './call.ts'
import { checkLayers, readCode } from './code.ts'
import { readTags } from './tags.ts'

/** CreateFunction. */
export const createFunction: Operation = async ({ body }, context) => {
  const { records, catalog } = context
  const name = readFunctionName(body.functionName)
  const spec = readSpec(body)
  const tags = readTags(body.tags, 'key', 'value')
  checkLayers(spec.layers, context)
  const refuse = () => {
    if (records.functions.get(name)) {
      throw alreadyExists('FunctionAlreadyExists', `function '${name}' already exists`)
    }
  }
  refuse()
  const code: CodeRef = isContainer(spec.runtime)
    ? { kind: 'folder', path: '' }
    : { kind: 'package', ...(await readCode(body.code, context)) }
  const created = await catalog.commit(() => {
    // Somebody else may have been quicker.
    refuse()
    const made = newFunction(name, spec, code, context.now())
    records.functions.put(made, name)
    const arn = functionArn(context, name)
    for (const { key, value } of tags) records.tags.put({ arn, key, value }, arn, key)
    return made
  })
  context.syncTriggers()
  return describe(created, context)
}

/** GetFunction, of a version or an alias too. */
export const getFunction: Operation = (call, context) =>
  describe(context.fleet.record(part(call, 'functionName'), qualifierOf(call)), context)

/** UpdateFunction: what is not said stays. */
export const updateFunction: Operation = async (call, context) => {
  const { records, catalog, fleet } = context
  const name = part(call, 'functionName')
  const { body } = call
  const before = existing(context, name)
  checkLayers(body.layers, context)
  readSpec(body, before.spec)
  const code: { code?: CodeRef } =
    body.code === undefined || body.code === null || isContainer(body.runtime ?? before.spec.runtime)
      ? {}
      : { code: { kind: 'package', ...(await readCode(body.code, context)) } }
  const updated = await catalog.commit(() => {
    const present = existing(context, name)
    const changed = changedFunction(present, { spec: readSpec(body, present.spec), ...code }, context.now())
    records.functions.put(changed, name)
    return changed
  })
  fleet.refresh(name)
  return describe(updated, context)
}

/** ListFunctions. */
export const listFunctions: Operation = (call, context) => {
  const { query } = call
  const wanted = (name: string) => query.get(name) ?? ''
  const matching = context.records.functions.list().filter(({ functionName, spec }) => {
    if (wanted('runtime') !== '' && spec.runtime !== wanted('runtime')) return false
    if (!String(spec.description).includes(wanted('description'))) return false
    return functionName.startsWith(wanted('prefix')) && functionName.includes(wanted('functionName'))
  })
  const { items, ...next } = page(matching, ({ functionName }) => functionName, call)
  return { functions: items.map((one) => describe(one, context)), ...next }
}

/** DeleteFunction, with everything that belongs to it. */
export const deleteFunction: Operation = async (call, context) => {
  const name = part(call, 'functionName')
  existing(context, name)
  await context.catalog.commit(() => {
    context.records.functions.remove(name)
    context.records.concurrency.remove(name)
    removeParts(name, context)
  })
  context.fleet.refresh(name)
  context.syncTriggers()
  return undefined
}

function removeParts(name: string, context: ApiContext): void {
  const { versions, aliases, triggers, vpcBindings, asyncConfigs, provisionConfigs, scalingConfigs, tags } =
    context.records
  for (const { versionId } of versions.list(name)) versions.remove(name, numbered(versionId))
  for (const { aliasName } of aliases.list(name)) aliases.remove(name, aliasName)
  for (const { triggerName } of triggers.list(name)) triggers.remove(name, triggerName)
  for (const { vpcId } of vpcBindings.list(name)) vpcBindings.remove(name, vpcId)
  for (const table of [asyncConfigs, provisionConfigs, scalingConfigs]) {
    for (const { qualifier } of table.list(name)) table.remove(name, qualifier)
  }
  const arn = functionArn(context, name)
  for (const { key } of tags.list(arn)) tags.remove(arn, key)
}

/** GetFunctionCode. */
export const getFunctionCode: Operation = async (call, context) => {
  const { code } = context.fleet.record(part(call, 'functionName'), qualifierOf(call))
  if (code.kind === 'package') return { checksum: code.checksum, url: context.packageUrl(code.id) }
  const kept = await context.packages.add(await context.packFolder(code.path))
  return { checksum: kept.checksum, url: context.packageUrl(kept.id) }
}

/** The function of a name, or FunctionNotFound. */
export function existing({ records }: Pick<ApiContext, 'records'>, name: string): FunctionRecord {
  const found = records.functions.get(name)
  if (!found) throw notFound('FunctionNotFound', `function '${name}' does not exist`)
  return found
}

/** The function that a path names, or FunctionNotFound. */
export function functionOf(call: ApiCall, context: Pick<ApiContext, 'records'>): FunctionRecord {
  return existing(context, part(call, 'functionName'))
}

/** The ARN of a function. */
export function functionArn(context: Pick<ApiContext, 'region' | 'accountId'>, name: string): string {
  return arnOf(context, `functions/${name}`)
}

function isContainer(runtime: unknown): boolean {
  return runtime === 'custom-container'
}

function describe(record: FunctionRecord, context: ApiContext): object {
  const { functionName, spec, code } = record
  const problem = whyNotRun(record)
  const arn = functionArn(context, functionName)
  const layers = Array.isArray(spec.layers)
    ? spec.layers.map((one) => ({ arn: String(one), size: layerSize(one, context) }))
    : []
  const tags = context.records.tags.list(arn).map(({ key, value }) => ({ Key: key, Value: value }))
  return {
    ...spec,
    ...(layers.length > 0 ? { layers } : { layers: undefined }),
    ...(code.kind === 'package' ? { codeChecksum: code.checksum, codeSize: code.size } : FOLDER),
    createdTime: isoTime(record.createdAt),
    functionArn: arn,
    functionId: record.functionId,
    functionName,
    lastModifiedTime: isoTime(record.modifiedAt),
    lastUpdateStatus: 'Successful',
    ...(problem === undefined
      ? { state: 'Active' }
      : { state: 'Failed', stateReason: problem, stateReasonCode: 'RuntimeNotFound' }),
    ...(tags.length > 0 ? { tags } : {}),
  }
}

/** Code that was never packed has no size and no checksum yet. */
const FOLDER = { codeChecksum: checksumOf(Buffer.alloc(0)), codeSize: 0 }

function layerSize(arn: unknown, { records }: ApiContext): number {
  const [, name = '', version = ''] = /:layers\/([^/]+)\/versions\/(\d+)$/.exec(String(arn)) ?? []
  return records.layers.get(name, numbered(version))?.code.size ?? 0
}
