import type { ObjectEvent } from '../wire/object-event.ts'
import { list, ManifestError, oneOf, record, text } from './manifest-error.ts'

/** An OSS trigger: which events of which keys of a bucket start the function. */
export interface OssTrigger {
  readonly name: string
  readonly bucket: string
  /** As configured, with the `oss:` prefix. */
  readonly events: readonly string[]
  readonly prefix: string
  readonly suffix: string
}

const CREATED = ['PutObject', 'PostObject', 'CopyObject', 'AppendObject', 'CompleteMultipartUpload', 'PutSymlink']
const PARTS = ['InitiateMultipartUpload', 'UploadPart', 'UploadPartCopy']
const REMOVED = ['DeleteObject', 'DeleteObjects', 'AbortMultipartUpload']
const EVENTS = [
  ...['*', ...CREATED, ...PARTS].map((name) => `oss:ObjectCreated:${name}`),
  ...['*', ...REMOVED].map((name) => `oss:ObjectRemoved:${name}`),
  'oss:ObjectModified:UpdateObjectMeta',
]

/** Reads one entry of `triggers` with `triggerType: oss`. */
export function parseOssTrigger(trigger: Record<string, unknown>, where: string): OssTrigger {
  const config = record(trigger.triggerConfig, `${where}.triggerConfig`)
  const bucket = /^acs:oss:[^:]+:\d+:([a-z0-9-]+)$/.exec(text(trigger.sourceArn, `${where}.sourceArn`))?.[1]
  if (!bucket) throw new ManifestError(`${where}.sourceArn`, 'expected acs:oss:REGION:ACCOUNT:BUCKET')
  const events = list(config.events, `${where}.events`).map((event) => oneOf(event, `${where}.events`, EVENTS))
  if (events.length === 0) throw new ManifestError(`${where}.events`, 'expected at least one event')
  const key = record(record(config.filter, `${where}.filter`).key, `${where}.filter.key`)
  return {
    name: text(trigger.triggerName, `${where}.triggerName`),
    bucket,
    events,
    prefix: typeof key.prefix === 'string' ? key.prefix : '',
    suffix: typeof key.suffix === 'string' ? key.suffix : '',
  }
}

/** Whether the event starts the function; `:*` covers every event of its group. */
export function ossTriggerFires(trigger: OssTrigger, event: ObjectEvent): boolean {
  if (trigger.bucket !== event.bucket) return false
  if (!event.key.startsWith(trigger.prefix) || !event.key.endsWith(trigger.suffix)) return false
  const group = event.eventName.split(':')[0]
  return trigger.events.some((name) => name === `oss:${event.eventName}` || name === `oss:${group}:*`)
}

/** The event as the function receives it; the key is raw, not URL-encoded. */
export function ossTriggerPayload(event: ObjectEvent, region: string, accountId: string): Buffer {
  const { bucket, key, size } = event
  const detail = {
    eventName: event.eventName,
    eventSource: 'acs:oss',
    eventTime: new Date(event.at).toISOString(),
    eventVersion: '1.0',
    oss: {
      bucket: { arn: `acs:oss:${region}:${accountId}:${bucket}`, name: bucket, ownerIdentity: accountId },
      object: {
        deltaSize: size,
        eTag: event.eTag.replaceAll('"', ''),
        key,
        objectMeta: { mimeType: event.contentType, userMeta: event.userMeta },
        size,
      },
      ossSchemaVersion: '1.0',
      ruleId: 'local',
    },
    region,
    requestParameters: { sourceIPAddress: event.sourceIp },
    responseElements: { requestId: event.requestId },
    userIdentity: { principalId: event.principalId },
  }
  return Buffer.from(JSON.stringify({ events: [detail] }))
}
