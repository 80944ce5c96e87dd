import type { HttpTrigger } from './function-config.ts'
import { list, ManifestError, oneOf, record, text } from './manifest-error.ts'
import { type MnsTrigger, parseMnsTrigger } from './mns-trigger.ts'
import { type OssTrigger, parseOssTrigger } from './oss-trigger.ts'
import type { TriggerRecord } from './records.ts'
import { parseTimerTrigger, type TimerTrigger } from './timer-trigger.ts'

const TYPES = ['http', 'oss', 'timer', 'mns_topic', 'log', 'cdn_events', 'tablestore', 'eventbridge'] as const
const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH', 'OPTIONS'] as const
/** https://www.alibabacloud.com/help/en/functioncompute/fc/user-guide/native-oss-triggers */
const OSS_TRIGGERS_PER_BUCKET = 10

/** The same trigger in the shape of an entry of `s.yaml`, which is what the parsers of the kinds read. */
export function parseTriggerConfig(trigger: TriggerRecord): Record<string, unknown> {
  const { triggerName, sourceArn, triggerConfig } = trigger
  return { triggerName, sourceArn, triggerConfig: readConfig(triggerConfig) }
}

/** What an HTTP trigger takes and from whom. */
export function httpTriggerOf(trigger: TriggerRecord): HttpTrigger {
  const config = readConfig(trigger.triggerConfig)
  return {
    methods: list(config.methods, 'triggerConfig.methods').map((one) => oneOf(one, 'triggerConfig.methods', METHODS)),
    authType: oneOf(config.authType, 'triggerConfig.authType', ['anonymous', 'function', 'jwt']),
    isOffInternet: config.disableURLInternet === true,
  }
}

/** What fires an OSS trigger. */
export function ossTriggerOf(trigger: TriggerRecord): OssTrigger {
  return parseOssTrigger(parseTriggerConfig(trigger), 'trigger')
}

/** What fires an MNS trigger. */
export function mnsTriggerOf(trigger: TriggerRecord): MnsTrigger {
  return parseMnsTrigger(parseTriggerConfig(trigger), 'trigger')
}

/** When a timer trigger fires. */
export function timerTriggerOf(trigger: TriggerRecord): TimerTrigger {
  return parseTimerTrigger(parseTriggerConfig(trigger), 'trigger')
}

/** Refuses what the service would refuse; `others` are the triggers that there are already. */
export function checkTrigger(trigger: TriggerRecord, others: readonly TriggerRecord[]): void {
  const { triggerName, triggerType, description } = trigger
  if (!/^[A-Za-z_][A-Za-z0-9_-]{0,127}$/.test(triggerName)) {
    throw new ManifestError('triggerName', 'expected 1 to 128 of A-Z a-z 0-9 _ -, not starting with a digit or -')
  }
  if (description.length > 256) throw new ManifestError('description', 'expected 256 characters at most')
  const rest = others.filter((other) => !isSame(other, trigger))
  const type = oneOf(triggerType, 'triggerType', TYPES)
  if (type === 'http') checkHttpTrigger(trigger, rest)
  else if (type === 'oss') checkOssTrigger(trigger, rest)
  else if (type === 'mns_topic') mnsTriggerOf(trigger)
  else if (type === 'timer') timerTriggerOf(trigger)
  else checkOtherTrigger(trigger)
}

function isSame(a: TriggerRecord, b: TriggerRecord): boolean {
  return a.functionName === b.functionName && a.triggerName === b.triggerName
}

function checkHttpTrigger(trigger: TriggerRecord, others: readonly TriggerRecord[]): void {
  if (httpTriggerOf(trigger).methods.length === 0) {
    throw new ManifestError('triggerConfig.methods', 'expected at least one method')
  }
  const { functionName, qualifier } = trigger
  const rivals = others.filter((one) => one.functionName === functionName && one.triggerType === 'http')
  if (rivals.some((one) => one.qualifier === qualifier)) {
    throw new ManifestError(
      'triggerType',
      `only one http trigger is allowed for each qualifier, and ${qualifier} has one`,
    )
  }
}

/** Two triggers of a bucket must not both want the same event of the same key. */
function checkOssTrigger(trigger: TriggerRecord, others: readonly TriggerRecord[]): void {
  const wanted = ossTriggerOf(trigger)
  const rivals = others.filter(({ triggerType }) => triggerType === 'oss').map(ossTriggerOf)
  const ofBucket = rivals.filter(({ bucket }) => bucket === wanted.bucket)
  if (ofBucket.length >= OSS_TRIGGERS_PER_BUCKET) {
    throw new ManifestError('sourceArn', `a bucket has ${OSS_TRIGGERS_PER_BUCKET} triggers at most`)
  }
  if (!ofBucket.some((rival) => overlap(rival, wanted))) return
  const why = 'Cannot have overlapping suffixes in two rules if the prefixes are overlapping for the same event type'
  throw new ManifestError('triggerConfig', `Configuration is ambiguously defined. ${why}.`)
}

function overlap(a: OssTrigger, b: OssTrigger): boolean {
  const sharesEvent = a.events.some((one) => b.events.some((other) => covers(one, other) || covers(other, one)))
  const sharesPrefix = a.prefix.startsWith(b.prefix) || b.prefix.startsWith(a.prefix)
  return sharesEvent && sharesPrefix && (a.suffix.endsWith(b.suffix) || b.suffix.endsWith(a.suffix))
}

function covers(pattern: string, event: string): boolean {
  return pattern === event || (pattern.endsWith(':*') && event.startsWith(pattern.slice(0, -1)))
}

function checkOtherTrigger({ sourceArn, triggerConfig, triggerType }: TriggerRecord): void {
  readConfig(triggerConfig)
  if (triggerType !== 'eventbridge') text(sourceArn, 'sourceArn')
}

function readConfig(json: string): Record<string, unknown> {
  try {
    return record(JSON.parse(json), 'triggerConfig')
  } catch (error) {
    if (error instanceof ManifestError) throw error
    throw new ManifestError('triggerConfig', 'expected JSON')
  }
}
