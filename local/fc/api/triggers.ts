import { randomUUID } from 'node:crypto'
import { ManifestError, text } from '../manifest-error.ts'
import type { TriggerRecord } from '../records.ts'
import { checkTrigger } from '../triggers.ts'
import { type ApiCall, type ApiContext, alreadyExists, isoTime, notFound, type Operation, page, part } from './call.ts'
import { existing, functionArn, functionOf } from './functions.ts'

/** CreateTrigger. */
export const createTrigger: Operation = async (call, context) => {
  const { records, catalog, now } = context
  const { functionName } = functionOf(call, context)
  const { body } = call
  const triggerName = text(body.triggerName, 'triggerName')
  const created = await catalog.commit(() => {
    if (records.triggers.get(functionName, triggerName)) {
      throw alreadyExists(
        'TriggerAlreadyExists',
        `trigger '${triggerName}' of function '${functionName}' already exists`,
      )
    }
    const at = now()
    const trigger: TriggerRecord = {
      functionName,
      triggerName,
      triggerId: randomUUID(),
      triggerType: text(body.triggerType, 'triggerType'),
      triggerConfig: text(body.triggerConfig, 'triggerConfig'),
      qualifier: optional(body, 'qualifier').qualifier ?? 'LATEST',
      ...optional(body, 'sourceArn'),
      ...optional(body, 'invocationRole'),
      description: optional(body, 'description').description ?? '',
      createdAt: at,
      modifiedAt: at,
    }
    return keep(trigger, context)
  })
  context.syncTriggers()
  return describe(created, context)
}

/** GetTrigger. */
export const getTrigger: Operation = (call, context) => describe(triggerOf(call, context), context)

/** UpdateTrigger: kind and source stay. */
export const updateTrigger: Operation = async (call, context) => {
  triggerOf(call, context)
  const updated = await context.catalog.commit(() => {
    const { body } = call
    const changes = ['qualifier', 'invocationRole', 'description', 'triggerConfig'].map((name) => optional(body, name))
    const changed = Object.assign({}, triggerOf(call, context), ...changes, { modifiedAt: context.now() })
    return keep(changed, context)
  })
  context.syncTriggers()
  return describe(updated, context)
}

/** ListTriggers. */
export const listTriggers: Operation = (call, context) => {
  const { functionName } = functionOf(call, context)
  const prefix = call.query.get('prefix') ?? ''
  const all = context.records.triggers.list(functionName).filter(({ triggerName }) => triggerName.startsWith(prefix))
  const { items, ...next } = page(all, ({ triggerName }) => triggerName, call)
  return { triggers: items.map((one) => describe(one, context)), ...next }
}

/** DeleteTrigger. */
export const deleteTrigger: Operation = async (call, context) => {
  const { functionName, triggerName } = triggerOf(call, context)
  await context.catalog.commit(() => context.records.triggers.remove(functionName, triggerName))
  context.syncTriggers()
  return undefined
}

function keep(trigger: TriggerRecord, { records, fleet }: ApiContext): TriggerRecord {
  fleet.record(trigger.functionName, trigger.qualifier)
  checkTrigger(trigger, records.triggers.list())
  records.triggers.put(trigger, trigger.functionName, trigger.triggerName)
  return trigger
}

function triggerOf(call: ApiCall, context: ApiContext): TriggerRecord {
  const { functionName } = existing(context, part(call, 'functionName'))
  const triggerName = part(call, 'triggerName')
  const found = context.records.triggers.get(functionName, triggerName)
  if (!found) {
    throw notFound('TriggerNotFound', `trigger '${triggerName}' does not exist in function '${functionName}'`)
  }
  return found
}

function optional(body: Readonly<Record<string, unknown>>, name: string): Record<string, string> {
  const value = body[name]
  if (value === undefined || value === null || value === '') return {}
  if (typeof value !== 'string') throw new ManifestError(name, 'expected text')
  return { [name]: value }
}

function describe(trigger: TriggerRecord, context: ApiContext): object {
  const { functionName, createdAt, modifiedAt, qualifier, ...rest } = trigger
  const url = context.triggerUrl(functionName, qualifier)
  return {
    ...rest,
    qualifier,
    createdTime: isoTime(createdAt),
    lastModifiedTime: isoTime(modifiedAt),
    targetArn: functionArn(context, functionName),
    ...(trigger.triggerType === 'http' ? { httpTrigger: { urlInternet: url, urlIntranet: url } } : {}),
  }
}
