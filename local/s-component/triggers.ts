import { differences, isRecord } from './compare.ts'
import type { Step } from './steps.ts'
import { found, gone, sdk, type Target } from './target.ts'

type Props = Readonly<Record<string, unknown>>

/** A step for each trigger of a function; one that is there and not in `s.yaml` stays, as with fc3. */
export function triggerSteps(props: Props, target: Target): (() => Promise<Step>)[] {
  const triggers = Array.isArray(props.triggers) ? props.triggers.filter(isRecord) : []
  const functionName = String(props.functionName)
  return triggers.map((trigger) => () => triggerStep(functionName, trigger, target))
}

async function triggerStep(functionName: string, trigger: Props, { client }: Target): Promise<Step> {
  const triggerName = String(trigger.triggerName)
  const config = isRecord(trigger.triggerConfig) ? trigger.triggerConfig : {}
  const fixed = pick(trigger, ['triggerType', 'sourceArn'])
  const wanted = { qualifier: 'LATEST', ...pick(trigger, ['qualifier', 'invocationRole', 'description']) }
  const step = { name: `trigger ${triggerName}`, remove: () => gone(client.deleteTrigger(functionName, triggerName)) }
  const body = { ...wanted, triggerConfig: JSON.stringify(config) }
  const create = () =>
    client.createTrigger(
      functionName,
      new sdk.CreateTriggerRequest({ body: new sdk.CreateTriggerInput({ triggerName, ...fixed, ...body }) }),
    )
  const present = (await found(client.getTrigger(functionName, triggerName)))?.body?.toMap()
  if (!present) return { ...step, change: { kind: 'created', why: String(trigger.triggerType), run: create } }
  const ofAnotherKind = differences(fixed, present)
  const differing = [...differences(wanted, present), ...differences(config, parsed(present.triggerConfig))]
  const why = [...ofAnotherKind, ...differing].join(', ')
  if (why === '') return { ...step, change: undefined }
  const update = () =>
    client.updateTrigger(
      functionName,
      triggerName,
      new sdk.UpdateTriggerRequest({ body: new sdk.UpdateTriggerInput(body) }),
    )
  // Neither type nor source can be changed.
  const replace = () => client.deleteTrigger(functionName, triggerName).then(create)
  return { ...step, change: { kind: 'updated', why, run: ofAnotherKind.length > 0 ? replace : update } }
}

function pick(from: Props, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.filter((name) => from[name] !== undefined).map((name) => [name, from[name]]))
}

function parsed(config: unknown): unknown {
  return typeof config === 'string' ? JSON.parse(config) : config
}
