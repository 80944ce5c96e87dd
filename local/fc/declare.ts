import { randomUUID } from 'node:crypto'
import { declaredSpec, newFunction } from './function-record.ts'
import type { Declared } from './manifest.ts'
import { list, record, text } from './manifest-error.ts'
import type { Records, SettingRecord } from './records.ts'

/**
 * Puts what `s.yaml` has below what came over the API: a function, trigger, setting or domain that was deployed over the
 * API hides the one of the same name, also after a restart, until it is deleted.
 */
export function declareAll({ functions, domains }: Declared, records: Records, at: number): void {
  for (const props of functions) declareFunction(props, records, at)
  for (const props of domains) {
    const domainName = text(props.domainName, 'domainName')
    const settings = { protocol: props.protocol, routeConfig: props.routeConfig }
    records.domains.declare({ domainName, createdAt: at, modifiedAt: at, settings }, domainName)
  }
}

function declareFunction(props: Record<string, unknown>, records: Records, at: number): void {
  const name = text(props.functionName, 'functionName')
  const code = { kind: 'folder', path: text(props.code, 'code') } as const
  const made = newFunction(name, declaredSpec(props), code, at)
  records.functions.declare(made, name)
  for (const item of list(props.triggers, 'triggers')) declareTrigger(name, record(item, 'triggers'), records, at)
  const setting = (value: unknown): SettingRecord => {
    return { functionName: name, qualifier: 'LATEST', createdAt: at, modifiedAt: at, settings: record(value, name) }
  }
  const { asyncInvokeConfig, concurrencyConfig, provisionConfig } = props
  if (asyncInvokeConfig) records.asyncConfigs.declare(setting(asyncInvokeConfig), name, 'LATEST')
  if (provisionConfig) records.provisionConfigs.declare(setting(provisionConfig), name, 'LATEST')
  if (concurrencyConfig) records.concurrency.declare(setting(concurrencyConfig), name)
}

function declareTrigger(functionName: string, props: Record<string, unknown>, records: Records, at: number): void {
  const triggerType = text(props.triggerType, 'triggerType')
  const triggerName = typeof props.triggerName === 'string' ? props.triggerName : triggerType
  const optional = (name: string) => (typeof props[name] === 'string' ? { [name]: props[name] } : {})
  const trigger = {
    functionName,
    triggerName,
    triggerId: randomUUID(),
    triggerType,
    triggerConfig: JSON.stringify(props.triggerConfig ?? {}),
    qualifier: typeof props.qualifier === 'string' ? props.qualifier : 'LATEST',
    ...optional('sourceArn'),
    ...optional('invocationRole'),
    description: typeof props.description === 'string' ? props.description : '',
    createdAt: at,
    modifiedAt: at,
  }
  records.triggers.declare(trigger, functionName, triggerName)
}
