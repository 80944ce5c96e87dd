import type { Table } from '../catalog.ts'
import { parseAsync } from '../function-config.ts'
import { integer, ManifestError, record } from '../manifest-error.ts'
import type { Records, SettingRecord } from '../records.ts'
import { type ApiCall, type ApiContext, isoTime, notFound, type Operation, page, qualifierOf } from './call.ts'
import { functionArn, functionOf } from './functions.ts'

/** PutAsyncInvokeConfig: replaces what there was. */
export const putAsyncInvokeConfig: Operation = async (call, context) => {
  parseAsync(call.body, 'asyncInvokeConfig')
  return describeAsync(await put(call, context, context.records.asyncConfigs), context)
}

/** GetAsyncInvokeConfig. */
export const getAsyncInvokeConfig: Operation = (call, context) => {
  const { functionName } = functionOf(call, context)
  const found = context.records.asyncConfigs.get(functionName, qualifierOf(call))
  if (!found) throw notFound('AsyncConfigNotExists', `async config of function '${functionName}' does not exist`)
  return describeAsync(found, context)
}

/** ListAsyncInvokeConfigs, of one function or of all. */
export const listAsyncInvokeConfigs: Operation = (call, context) => {
  const { items, ...next } = listOf(call, context.records.asyncConfigs)
  return { configs: items.map((one) => describeAsync(one, context)), ...next }
}

/** DeleteAsyncInvokeConfig. */
export const deleteAsyncInvokeConfig: Operation = (call, context) => remove(call, context, context.records.asyncConfigs)

/** PutConcurrencyConfig. */
export const putConcurrencyConfig: Operation = async (call, context) => {
  if (call.body.reservedConcurrency === undefined) throw new ManifestError('reservedConcurrency', 'expected an integer')
  integer(call.body.reservedConcurrency, 'reservedConcurrency', [0, 100_000], 0)
  return describeConcurrency(await put(withoutQualifier(call), context, oneEach(context.records)), context)
}

/** GetConcurrencyConfig. */
export const getConcurrencyConfig: Operation = (call, context) => {
  const { functionName } = functionOf(call, context)
  const found = context.records.concurrency.get(functionName)
  if (!found) throw notFound('OnDemandConfigNotFound', `on-demand config of function '${functionName}' does not exist`)
  return describeConcurrency(found, context)
}

/** ListConcurrencyConfigs. */
export const listConcurrencyConfigs: Operation = (call, context) => {
  const { items, ...next } = listOf(call, context.records.concurrency)
  return { configs: items.map((one) => describeConcurrency(one, context)), ...next }
}

/** DeleteConcurrencyConfig. */
export const deleteConcurrencyConfig: Operation = (call, context) =>
  remove(withoutQualifier(call), context, oneEach(context.records))

/** PutProvisionConfig: it is kept, and nothing is provisioned. */
export const putProvisionConfig: Operation = async (call, context) => {
  const { target, defaultTarget } = call.body
  for (const [name, value] of Object.entries({ target, defaultTarget })) integer(value ?? 0, name, [0, 10_000], 0)
  return describeProvision(await put(call, context, context.records.provisionConfigs), context)
}

/** GetProvisionConfig: without one there is an empty one. */
export const getProvisionConfig: Operation = (call, context) => {
  const { functionName } = functionOf(call, context)
  const found = context.records.provisionConfigs.get(functionName, qualifierOf(call))
  if (found) return describeProvision(found, context)
  return { alwaysAllocateCPU: false, current: 0, currentError: '', functionArn: '', target: 0, defaultTarget: 0 }
}

/** ListProvisionConfigs. */
export const listProvisionConfigs: Operation = (call, context) => {
  const { items, ...next } = listOf(call, context.records.provisionConfigs)
  return { provisionConfigs: items.map((one) => describeProvision(one, context)), ...next }
}

/** DeleteProvisionConfig. */
export const deleteProvisionConfig: Operation = (call, context) =>
  remove(call, context, context.records.provisionConfigs)

/** PutScalingConfig: it is kept, and nothing is scaled by it. */
export const putScalingConfig: Operation = async (call, context) => {
  integer(call.body.minInstances ?? 0, 'minInstances', [0, 10_000], 0)
  return describeScaling(await put(call, context, context.records.scalingConfigs), context)
}

/** GetScalingConfig: without one there is an empty one. */
export const getScalingConfig: Operation = (call, context) => {
  const { functionName } = functionOf(call, context)
  const found = context.records.scalingConfigs.get(functionName, qualifierOf(call))
  return found
    ? describeScaling(found, context)
    : { functionArn: '', minInstances: 0, currentInstances: 0, targetInstances: 0 }
}

/** ListScalingConfigs. */
export const listScalingConfigs: Operation = (call, context) => {
  const { items, ...next } = listOf(call, context.records.scalingConfigs)
  return { scalingConfigs: items.map((one) => describeScaling(one, context)), ...next }
}

/** DeleteScalingConfig. */
export const deleteScalingConfig: Operation = (call, context) => remove(call, context, context.records.scalingConfigs)

/** CreateVpcBinding: it is kept; there are no networks here. */
export const createVpcBinding: Operation = async (call, context) => {
  const { functionName } = functionOf(call, context)
  const { vpcId } = call.body
  if (typeof vpcId !== 'string' || !/^vpc-[a-z0-9]{1,64}$/.test(vpcId))
    throw new ManifestError('vpcId', 'expected vpc-…')
  await context.catalog.commit(() => context.records.vpcBindings.put({ vpcId }, functionName, vpcId))
  return undefined
}

/** ListVpcBindings. */
export const listVpcBindings: Operation = (call, context) => {
  const { functionName } = functionOf(call, context)
  return { vpcIds: context.records.vpcBindings.list(functionName).map(({ vpcId }) => vpcId) }
}

/** DeleteVpcBinding. */
export const deleteVpcBinding: Operation = async (call, context) => {
  const { functionName } = functionOf(call, context)
  await context.catalog.commit(() => context.records.vpcBindings.remove(functionName, call.path.vpcId ?? ''))
  return undefined
}

type Settings = Pick<Table<SettingRecord>, 'get' | 'put' | 'remove'>

/** Concurrency belongs to the function as a whole. */
function oneEach({ concurrency }: Records): Settings {
  return {
    get: (name) => concurrency.get(name ?? ''),
    put: (setting, name) => concurrency.put(setting, name ?? ''),
    remove: (name) => concurrency.remove(name ?? ''),
  }
}

function withoutQualifier(call: ApiCall): ApiCall {
  return { ...call, query: new URLSearchParams() }
}

async function put(call: ApiCall, context: ApiContext, table: Settings): Promise<SettingRecord> {
  const { functionName } = functionOf(call, context)
  const qualifier = qualifierOf(call)
  context.fleet.record(functionName, qualifier)
  return context.catalog.commit(() => {
    const at = context.now()
    const createdAt = table.get(functionName, qualifier)?.createdAt ?? at
    const setting = { functionName, qualifier, createdAt, modifiedAt: at, settings: record(call.body, 'body') }
    table.put(setting, functionName, qualifier)
    return setting
  })
}

async function remove(call: ApiCall, context: ApiContext, table: Settings): Promise<undefined> {
  const { functionName } = functionOf(call, context)
  await context.catalog.commit(() => table.remove(functionName, qualifierOf(call)))
  return undefined
}

function listOf(call: ApiCall, table: Pick<Table<SettingRecord>, 'list' | 'get'>) {
  const name = call.query.get('functionName')
  const all = table.list().filter(({ functionName }) => !name || functionName === name)
  return page(all, ({ functionName, qualifier }) => `${functionName}/${qualifier}`, call)
}

function describeAsync(setting: SettingRecord, context: ApiContext): object {
  const { asyncTask, destinationConfig, maxAsyncEventAgeInSeconds, maxAsyncRetryAttempts } = setting.settings
  return {
    asyncTask: asyncTask ?? false,
    createdTime: isoTime(setting.createdAt),
    destinationConfig: destinationConfig ?? {},
    functionArn: arnWithQualifier(setting, context),
    lastModifiedTime: isoTime(setting.modifiedAt),
    maxAsyncEventAgeInSeconds: maxAsyncEventAgeInSeconds ?? 86_400,
    maxAsyncRetryAttempts: maxAsyncRetryAttempts ?? 3,
  }
}

function describeConcurrency({ functionName, settings }: SettingRecord, context: ApiContext): object {
  return { functionArn: functionArn(context, functionName), reservedConcurrency: settings.reservedConcurrency }
}

const NOT_PROVISIONED = 'the local cloud provisions no instances'

function describeProvision(setting: SettingRecord, context: ApiContext): object {
  const wanted = setting.settings.defaultTarget ?? setting.settings.target ?? 0
  return {
    alwaysAllocateCPU: false,
    ...setting.settings,
    current: 0,
    currentError: wanted === 0 ? '' : NOT_PROVISIONED,
    defaultTarget: wanted,
    functionArn: arnWithQualifier(setting, context),
    target: wanted,
  }
}

function describeScaling(setting: SettingRecord, context: ApiContext): object {
  const wanted = setting.settings.minInstances ?? 0
  return {
    ...setting.settings,
    currentError: wanted === 0 ? '' : NOT_PROVISIONED,
    currentInstances: 0,
    functionArn: arnWithQualifier(setting, context),
    minInstances: wanted,
    targetInstances: wanted,
  }
}

function arnWithQualifier({ functionName, qualifier }: SettingRecord, context: ApiContext): string {
  return `${functionArn(context, functionName)}/${qualifier}`
}
