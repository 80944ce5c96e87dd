import type { XmlElement } from '../wire/xml.ts'
import { checkEncryption } from './encryption.ts'
import { invalidArgument, OssError } from './errors.ts'
import type { Store } from './store.ts'
import { BUCKET_TAGS, readTags, TAG_CHARACTERS } from './tags.ts'

/*
 * What the service accepts in the documents of a bucket's settings. Elements that it does not know are left as they are.
 */

/** Refuses a document that the service would refuse. */
export type CheckSetting = (document: XmlElement, store: Store) => void

function malformed(detail: string): OssError {
  return new OssError('MalformedXML', { ErrorDetail: detail })
}

function required(element: XmlElement, name: string): string {
  const text = element.value(name)?.trim()
  if (text) return text
  throw malformed(`${element.name} needs ${name}`)
}

function oneOf(element: XmlElement, name: string, values: readonly string[]): string {
  const text = required(element, name)
  if (values.includes(text)) return text
  throw malformed(`${name} must be one of ${values.join(', ')}`)
}

function child(element: XmlElement, name: string): XmlElement {
  const found = element.all(name)[0]
  if (found === undefined) throw malformed(`${element.name} needs ${name}`)
  return found
}

/** A document with one element of two values. */
export function choice(name: string, values: readonly string[]): CheckSetting {
  return (document) => void oneOf(document, name, values)
}

/** A document with one element that is `true` or `false`. */
export const enabled = choice('Enabled', ['true', 'false'])

/** A document with one element that must not be empty. */
export function naming(name: string): CheckSetting {
  return (document) => void required(document, name)
}

/** https://help.aliyun.com/zh/oss/developer-reference/putbucketreferer */
export const checkReferer: CheckSetting = (document) => {
  oneOf(document, 'AllowEmptyReferer', ['true', 'false'])
  child(document, 'RefererList')
}

/** https://help.aliyun.com/zh/oss/developer-reference/putbucketlogging */
export const checkLogging: CheckSetting = (document, store) => {
  const enabled = document.all('LoggingEnabled')[0]
  if (enabled === undefined || enabled.children.length === 0) return
  const target = required(enabled, 'TargetBucket')
  if (store.findBucket(target) === undefined)
    throw new OssError('InvalidTargetBucketForLogging', { TargetBucket: target })
  const prefix = enabled.value('TargetPrefix') ?? ''
  if (Buffer.byteLength(prefix) > 32)
    throw invalidArgument('TargetPrefix', prefix.slice(0, 64), 'The prefix is too long.')
}

/** https://help.aliyun.com/zh/oss/developer-reference/putbucketencryption */
export const checkEncryptionRule: CheckSetting = (document) => {
  const rule = child(document, 'ApplyServerSideEncryptionByDefault')
  const keyId = rule.value('KMSMasterKeyID')?.trim()
  const dataAlgorithm = rule.value('KMSDataEncryption')?.trim()
  const algorithm = required(rule, 'SSEAlgorithm')
  checkEncryption({ algorithm, ...(keyId && { keyId }), ...(dataAlgorithm && { dataAlgorithm }) })
}

/** https://help.aliyun.com/zh/oss/developer-reference/putbuckettags */
export const checkTagging: CheckSetting = (document) => void readTags(document, BUCKET_TAGS)

const MAX_ROUTING_RULES = 20

/** https://help.aliyun.com/zh/oss/developer-reference/putbucketwebsite */
export const checkWebsite: CheckSetting = (document) => {
  const [index] = document.all('IndexDocument')
  const [error] = document.all('ErrorDocument')
  const rules = document.all('RoutingRules')[0]?.all('RoutingRule') ?? []
  if (index === undefined && error === undefined && rules.length === 0) throw malformed('a website needs a document')
  const suffix = index && required(index, 'Suffix')
  if (suffix?.includes('/'))
    throw invalidArgument('Suffix', suffix.slice(0, 64), 'The suffix must not contain a slash.')
  if (error) required(error, 'Key')
  if (rules.length > MAX_ROUTING_RULES) throw malformed(`at most ${MAX_ROUTING_RULES} RoutingRule`)
  for (const rule of rules) {
    if (!/^[1-9]\d*$/.test(required(rule, 'RuleNumber'))) throw malformed('RuleNumber must be a positive integer')
    checkRedirect(rule)
  }
}

function checkRedirect(rule: XmlElement): void {
  const redirect = child(rule, 'Redirect')
  if (!redirect.value('RedirectType')) return
  const type = oneOf(redirect, 'RedirectType', ['Mirror', 'External', 'Internal', 'AliCDN'])
  const status = rule.all('Condition')[0]?.value('HttpErrorCodeReturnedEquals')?.trim() ?? ''
  if (type !== 'Mirror' || status === '404') return
  throw invalidArgument('HttpErrorCodeReturnedEquals', status.slice(0, 64), 'Only what is missing is mirrored.')
}

/** How much a bucket may hold, in GB; -1 is no limit. */
export const checkCapacity: CheckSetting = (document) => {
  const text = required(document, 'StorageCapacity')
  if (!/^(?:-1|\d{1,15})$/.test(text)) throw invalidArgument('StorageCapacity', text.slice(0, 64), 'Invalid capacity.')
}

/** https://help.aliyun.com/zh/oss/developer-reference/putbucketcallbackpolicy */
export const checkCallbackPolicy: CheckSetting = (document) => {
  const items = document.all('PolicyItem')
  if (items.length === 0) throw malformed('a PolicyItem is expected')
  for (const item of items) {
    required(item, 'PolicyName')
    required(item, 'Callback')
  }
}

const ACTIONS = [
  'Expiration',
  'Transition',
  'AbortMultipartUpload',
  'NoncurrentVersionExpiration',
  'NoncurrentVersionTransition',
]
const COLDER = ['IA', 'Archive', 'ColdArchive', 'DeepColdArchive']
const MAX_RULES = 1000

/** https://help.aliyun.com/zh/oss/developer-reference/putbucketlifecycle */
export const checkLifecycle: CheckSetting = (document) => {
  const rules = document.all('Rule')
  if (rules.length === 0 || rules.length > MAX_RULES) throw malformed(`1 to ${MAX_RULES} Rule are expected`)
  for (const rule of rules) checkLifecycleRule(rule)
  const ids = rules.map((rule) => rule.value('ID')).filter((id) => id)
  if (new Set(ids).size < ids.length) throw invalidArgument('ID', '', 'Rule ID must be unique.')
}

function checkLifecycleRule(rule: XmlElement): void {
  oneOf(rule, 'Status', ['Enabled', 'Disabled'])
  const id = rule.value('ID') ?? ''
  if (Buffer.byteLength(id) > 255) throw invalidArgument('ID', id.slice(0, 64), 'ID length should not exceed 255.')
  const actions = rule.children.filter(({ name }) => ACTIONS.includes(name))
  if (actions.length === 0) throw malformed('a rule needs an action')
  for (const action of actions) checkLifecycleAction(action)
  checkLifecycleOrder(rule)
  const texts = rule.all('Tag').flatMap((tag) => [tag.value('Key') ?? '', tag.value('Value') ?? ''])
  if (!texts.every((text) => TAG_CHARACTERS.test(text))) throw invalidArgument('Tag', '', 'The tag is invalid.')
  if (rule.all('Tag').length > 0 && rule.all('AbortMultipartUpload').length > 0) {
    throw malformed('Tag does not go with AbortMultipartUpload')
  }
}

function checkLifecycleAction(action: XmlElement): void {
  const times = ['Days', 'CreatedBeforeDate', 'Date', 'NoncurrentDays', 'ExpiredObjectDeleteMarker']
  const given = times.filter((name) => action.value(name) !== undefined)
  if (given.length !== 1) throw malformed(`${action.name} needs one time`)
  const days = action.value('Days') ?? action.value('NoncurrentDays')
  if (days !== undefined && !/^[1-9]\d{0,5}$/.test(days.trim())) {
    throw invalidArgument('Days', days.slice(0, 64), 'Days must be a positive integer.')
  }
  const date = action.value('CreatedBeforeDate') ?? action.value('Date')
  if (date !== undefined && !/^\d{4}-\d\d-\d\dT00:00:00(?:\.000)?(?:Z|\+00:00)$/.test(date.trim())) {
    throw invalidArgument('Date', date.slice(0, 64), "'Date' must be at midnight GMT")
  }
  if (!action.name.endsWith('Transition')) return
  const storageClass = oneOf(action, 'StorageClass', ['Standard', ...COLDER])
  if (storageClass === 'Standard') throw invalidArgument('StorageClass', 'Standard', 'Nothing is moved to Standard.')
}

/** Whatever moves goes to a colder class later than to a warmer one, and before it expires. */
function checkLifecycleOrder(rule: XmlElement): void {
  checkColder(rule.all('NoncurrentVersionTransition'), rule.all('NoncurrentVersionExpiration'), 'NoncurrentDays')
  const transitions = rule.all('Transition')
  const expirations = rule.all('Expiration').filter((one) => one.value('ExpiredObjectDeleteMarker') === undefined)
  const byDays = [...transitions, ...expirations].map((one) => one.value('Days') !== undefined)
  if (new Set(byDays).size > 1) throw new OssError('InvalidRequest', {}, 'Days and dates do not go together in a rule.')
  checkColder(transitions, expirations, 'Days')
}

function checkColder(transitions: readonly XmlElement[], expirations: readonly XmlElement[], unit: string): void {
  const steps = transitions
    .map((one) => ({ rank: COLDER.indexOf(one.value('StorageClass')?.trim() ?? ''), days: Number(one.value(unit)) }))
    .sort((a, b) => a.rank - b.rank)
  const end = Number(expirations[0]?.value(unit) ?? Number.POSITIVE_INFINITY)
  const unordered = steps.some(({ days }, index) => days >= (steps[index + 1]?.days ?? end))
  if (unordered) throw invalidArgument('Days', '', 'Days of a colder class or of the expiration must be more.')
}

/** https://help.aliyun.com/zh/oss/developer-reference/putbucketinventory */
export const checkInventory: CheckSetting = (document) => {
  required(document, 'Id')
  oneOf(document, 'IsEnabled', ['true', 'false'])
  oneOf(child(document, 'Schedule'), 'Frequency', ['Daily', 'Weekly'])
  oneOf(document, 'IncludedObjectVersions', ['All', 'Current'])
  const target = child(child(document, 'Destination'), 'OSSBucketDestination')
  oneOf(target, 'Format', ['CSV', 'Parquet', 'ORC'])
  for (const name of ['AccountId', 'RoleArn']) child(target, name)
  if (!/^acs:oss:::[a-z0-9-]+$/.test(required(target, 'Bucket'))) throw malformed('Bucket must be acs:oss:::NAME')
  if ((target.all('Encryption')[0]?.children.length ?? 0) > 1) throw malformed('one Encryption is expected')
}

/** https://www.alibabacloud.com/help/en/oss/developer-reference/putbucketoverwriteconfig */
export const checkOverwriteRules: CheckSetting = (document) => {
  const rules = document.all('Rule')
  if (rules.length === 0 || rules.length > 100) throw malformed('1 to 100 Rule are expected')
  for (const rule of rules) {
    oneOf(rule, 'Action', ['forbid'])
    checkEnd(rule, 'Prefix')
    checkEnd(rule, 'Suffix')
  }
  const ids = rules.map((rule) => rule.value('ID')).filter((id) => id)
  if (new Set(ids).size < ids.length) throw invalidArgument('ID', '', 'The rules must have different IDs.')
}

function checkEnd(rule: XmlElement, name: 'Prefix' | 'Suffix'): void {
  if (rule.all(name).length > 1) throw malformed(`one ${name} is expected`)
  const text = rule.value(name) ?? ''
  if (text.length > 1023) throw invalidArgument(name, text.slice(0, 64), `The ${name} is too long.`)
}
