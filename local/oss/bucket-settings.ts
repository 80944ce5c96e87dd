import { randomUUID } from 'node:crypto'
import { readXml, rewriteXml, writeXml, type XmlElement } from '../wire/xml.ts'
import { readXmlBody } from './bodies.ts'
import { bucketOf } from './bucket-operations.ts'
import { type Context, type Operation, type Reply, xmlReply } from './context.ts'
import { OssError, type OssErrorCode } from './errors.ts'
import { checkLimits, limitsOf } from './flow-control.ts'
import {
  type CheckSetting,
  checkCallbackPolicy,
  checkCapacity,
  checkEncryptionRule,
  checkLifecycle,
  checkLogging,
  checkOverwriteRules,
  checkReferer,
  checkTagging,
  checkWebsite,
  choice,
  enabled,
  naming,
} from './setting-rules.ts'

/** A document that belongs to a bucket: checked, kept, given back, and forgotten. */
interface Setting {
  /** The parameter that names it, and its place in the bucket's record. */
  readonly parameter: string
  readonly root: string
  readonly check: CheckSetting
  /** What is kept of a document that has been checked; all of it where this is missing. */
  readonly keep?: (document: XmlElement) => XmlElement
  /** What is said where there is none. */
  readonly missing: OssErrorCode | { readonly document: string }
  readonly actions: { readonly put: string; readonly get: string; readonly delete?: string }
}

const SETTINGS = {
  lifecycle: {
    parameter: 'lifecycle',
    root: 'LifecycleConfiguration',
    check: checkLifecycle,
    keep: named,
    missing: 'NoSuchLifecycle',
    actions: { put: 'PutBucketLifecycle', get: 'GetBucketLifecycle', delete: 'DeleteBucketLifecycle' },
  },
  referer: {
    parameter: 'referer',
    root: 'RefererConfiguration',
    check: checkReferer,
    missing: { document: writeXml('RefererConfiguration', { AllowEmptyReferer: true, RefererList: '' }) },
    actions: { put: 'PutBucketReferer', get: 'GetBucketReferer' },
  },
  logging: {
    parameter: 'logging',
    root: 'BucketLoggingStatus',
    check: checkLogging,
    missing: { document: writeXml('BucketLoggingStatus', '') },
    actions: { put: 'PutBucketLogging', get: 'GetBucketLogging', delete: 'DeleteBucketLogging' },
  },
  website: {
    parameter: 'website',
    root: 'WebsiteConfiguration',
    check: checkWebsite,
    keep: withRedirectTypes,
    missing: 'NoSuchWebsiteConfiguration',
    actions: { put: 'PutBucketWebsite', get: 'GetBucketWebsite', delete: 'DeleteBucketWebsite' },
  },
  qos: {
    parameter: 'qos',
    root: 'BucketUserQos',
    check: checkCapacity,
    missing: { document: writeXml('BucketUserQos', { StorageCapacity: -1 }) },
    actions: { put: 'PutBucketQos', get: 'GetBucketQos' },
  },
  qosInfo: {
    parameter: 'qosInfo',
    root: 'QoSConfiguration',
    check: checkLimits,
    keep: withAllLimits,
    missing: 'NoSuchBucketQosInfo',
    actions: { put: 'PutBucketQosInfo', get: 'GetBucketQosInfo', delete: 'DeleteBucketQosInfo' },
  },
  callbackPolicy: {
    parameter: 'callbackPolicy',
    root: 'BucketCallbackPolicy',
    check: checkCallbackPolicy,
    missing: 'NoSuchBucketCallbackPolicy',
    actions: { put: 'PutBucketPolicy', get: 'GetBucketPolicy', delete: 'DeleteBucketPolicy' },
  },
  overwriteConfig: {
    parameter: 'overwriteConfig',
    root: 'OverwriteConfiguration',
    check: checkOverwriteRules,
    keep: named,
    missing: 'NoSuchBucketOverwriteConfig',
    actions: {
      put: 'PutBucketOverwriteConfig',
      get: 'GetBucketOverwriteConfig',
      delete: 'DeleteBucketOverwriteConfig',
    },
  },
  userDefinedLogFieldsConfig: {
    parameter: 'userDefinedLogFieldsConfig',
    root: 'UserDefinedLogFieldsConfiguration',
    check: (document) => void document,
    missing: 'NoSuchUserDefinedLogFieldsConfig',
    actions: {
      put: 'PutUserDefinedLogFieldsConfig',
      get: 'GetUserDefinedLogFieldsConfig',
      delete: 'DeleteUserDefinedLogFieldsConfig',
    },
  },
  tagging: {
    parameter: 'tagging',
    root: 'Tagging',
    check: checkTagging,
    missing: { document: writeXml('Tagging', { TagSet: '' }) },
    actions: { put: 'PutBucketTagging', get: 'GetBucketTagging', delete: 'DeleteBucketTagging' },
  },
  encryption: {
    parameter: 'encryption',
    root: 'ServerSideEncryptionRule',
    check: checkEncryptionRule,
    keep: withoutEmpty,
    missing: 'NoSuchServerSideEncryptionRule',
    actions: { put: 'PutBucketEncryption', get: 'GetBucketEncryption', delete: 'DeleteBucketEncryption' },
  },
  requestPayment: {
    parameter: 'requestPayment',
    root: 'RequestPaymentConfiguration',
    check: choice('Payer', ['BucketOwner', 'Requester']),
    missing: { document: writeXml('RequestPaymentConfiguration', { Payer: 'BucketOwner' }) },
    actions: { put: 'PutBucketRequestPayment', get: 'GetBucketRequestPayment' },
  },
  transferAcceleration: {
    parameter: 'transferAcceleration',
    root: 'TransferAccelerationConfiguration',
    check: enabled,
    missing: 'NoSuchTransferAccelerationConfiguration',
    actions: { put: 'PutBucketTransferAcceleration', get: 'GetBucketTransferAcceleration' },
  },
  accessmonitor: {
    parameter: 'accessmonitor',
    root: 'AccessMonitorConfiguration',
    check: choice('Status', ['Enabled', 'Disabled']),
    missing: { document: writeXml('AccessMonitorConfiguration', { Status: 'Disabled' }) },
    actions: { put: 'PutBucketAccessMonitor', get: 'GetBucketAccessMonitor' },
  },
  bucketArchiveDirectRead: {
    parameter: 'bucketArchiveDirectRead',
    root: 'ArchiveDirectReadConfiguration',
    check: enabled,
    missing: { document: writeXml('ArchiveDirectReadConfiguration', { Enabled: false }) },
    actions: { put: 'PutBucketArchiveDirectRead', get: 'GetBucketArchiveDirectRead' },
  },
  httpsConfig: {
    parameter: 'httpsConfig',
    root: 'HttpsConfiguration',
    check: (document) => void document,
    missing: { document: writeXml('HttpsConfiguration', { TLS: { Enable: false } }) },
    actions: { put: 'PutBucketHttpsConfig', get: 'GetBucketHttpsConfig' },
  },
  resourceGroup: {
    parameter: 'resourceGroup',
    root: 'BucketResourceGroupConfiguration',
    check: naming('ResourceGroupId'),
    missing: { document: writeXml('BucketResourceGroupConfiguration', { ResourceGroupId: 'rg-default' }) },
    actions: { put: 'PutBucketResourceGroup', get: 'GetBucketResourceGroup' },
  },
  publicAccessBlock: {
    parameter: 'publicAccessBlock',
    root: 'PublicAccessBlockConfiguration',
    check: choice('BlockPublicAccess', ['true', 'false']),
    missing: { document: writeXml('PublicAccessBlockConfiguration', { BlockPublicAccess: false }) },
    actions: {
      put: 'PutBucketPublicAccessBlock',
      get: 'GetBucketPublicAccessBlock',
      delete: 'DeleteBucketPublicAccessBlock',
    },
  },
} as const satisfies Record<string, Setting>

/** The document of a setting, where the bucket has it. */
export function settingOf(
  settings: Readonly<Record<string, string>> | undefined,
  name: keyof typeof SETTINGS,
): XmlElement | undefined {
  const text = settings?.[name]
  return text === undefined ? undefined : readXml(text, SETTINGS[name].root)
}

/** Keeps a document in a bucket's record, or forgets it. */
export function changeSetting(context: Context, name: string, document: string | undefined): Promise<void> {
  return context.store.changeBucket(bucketOf(context), ({ settings }) => {
    const { [name]: _old, ...others } = settings ?? {}
    return { settings: document === undefined ? others : { ...others, [name]: document } }
  })
}

function put(setting: Setting): Operation {
  return {
    action: `oss:${setting.actions.put}`,
    async run(context) {
      const { store, request } = context
      store.bucket(bucketOf(context))
      const document = await readXmlBody(request, setting.root)
      setting.check(document, store)
      await changeSetting(context, setting.parameter, rewriteXml(setting.keep?.(document) ?? document))
      return { status: 200 }
    },
  }
}

/** A rule without an ID is given one. */
function named(document: XmlElement): XmlElement {
  const children = document.children.map((rule) => {
    if (rule.name !== 'Rule' || rule.value('ID')) return rule
    const id = readXml(`<ID>${randomUUID()}</ID>`, 'ID')
    return { ...rule, children: [id, ...rule.children.filter(({ name }) => name !== 'ID')] }
  })
  return { ...document, children }
}

/** A rule of a website redirects to another place unless it says what else. */
function withRedirectTypes(document: XmlElement): XmlElement {
  const children = document.children.map(withRedirectTypes)
  if (document.name !== 'Redirect' || document.value('RedirectType')) return { ...document, children }
  return { ...document, children: [readXml('<RedirectType>External</RedirectType>', 'RedirectType'), ...children] }
}

/** A limit that is missing is none. */
function withAllLimits(document: XmlElement): XmlElement {
  const children = limitsOf(document).map(({ name, text }) => readXml(`<${name}>${text}</${name}>`, name))
  return { ...document, children }
}

/** An empty key id is none. */
function withoutEmpty(document: XmlElement): XmlElement {
  const children = document.children
    .map(withoutEmpty)
    .filter((child) => child.children.length > 0 || child.text.trim() !== '')
  return { ...document, children }
}

function get({ parameter, missing, actions }: Setting): Operation {
  return {
    action: `oss:${actions.get}`,
    run(context) {
      const { settings } = context.store.bucket(bucketOf(context))
      const document = settings?.[parameter]
      if (document !== undefined) return xmlReply(document)
      if (typeof missing === 'object') return xmlReply(missing.document)
      throw new OssError(missing, { BucketName: bucketOf(context) })
    },
  }
}

function remove({ parameter, actions }: Setting): Operation {
  return {
    action: `oss:${actions.delete ?? actions.put}`,
    async run(context): Promise<Reply> {
      context.store.bucket(bucketOf(context))
      const names = parameter === 'tagging' ? (context.request.param('tagging') ?? '') : ''
      await changeSetting(context, parameter, names === '' ? undefined : withoutTags(context, names.split(',')))
      return { status: 204 }
    },
  }
}

/** Tags of a bucket can be removed one by one: `?tagging=a,b`. */
function withoutTags(context: Context, names: readonly string[]): string | undefined {
  const tags = settingOf(context.store.bucket(bucketOf(context)).settings, 'tagging')
  const left =
    tags
      ?.all('TagSet')[0]
      ?.all('Tag')
      .filter((tag) => !names.includes(tag.value('Key') ?? '')) ?? []
  if (left.length === 0) return undefined
  const fields = left.map((tag) => ({ Key: tag.value('Key'), Value: tag.value('Value') }))
  return writeXml('Tagging', { TagSet: { Tag: fields } })
}

/** The operations on settings by their names in the API reference. */
export const SETTING_OPERATIONS = {
  PutBucketLifecycle: put(SETTINGS.lifecycle),
  GetBucketLifecycle: get(SETTINGS.lifecycle),
  DeleteBucketLifecycle: remove(SETTINGS.lifecycle),
  PutBucketReferer: put(SETTINGS.referer),
  GetBucketReferer: get(SETTINGS.referer),
  PutBucketLogging: put(SETTINGS.logging),
  GetBucketLogging: get(SETTINGS.logging),
  DeleteBucketLogging: remove(SETTINGS.logging),
  PutBucketWebsite: put(SETTINGS.website),
  GetBucketWebsite: get(SETTINGS.website),
  DeleteBucketWebsite: remove(SETTINGS.website),
  PutBucketTags: put(SETTINGS.tagging),
  GetBucketTags: get(SETTINGS.tagging),
  DeleteBucketTags: remove(SETTINGS.tagging),
  PutBucketEncryption: put(SETTINGS.encryption),
  GetBucketEncryption: get(SETTINGS.encryption),
  DeleteBucketEncryption: remove(SETTINGS.encryption),
  PutBucketRequestPayment: put(SETTINGS.requestPayment),
  GetBucketRequestPayment: get(SETTINGS.requestPayment),
  PutBucketTransferAcceleration: put(SETTINGS.transferAcceleration),
  GetBucketTransferAcceleration: get(SETTINGS.transferAcceleration),
  PutBucketAccessMonitor: put(SETTINGS.accessmonitor),
  GetBucketAccessMonitor: get(SETTINGS.accessmonitor),
  PutBucketArchiveDirectRead: put(SETTINGS.bucketArchiveDirectRead),
  GetBucketArchiveDirectRead: get(SETTINGS.bucketArchiveDirectRead),
  PutBucketHttpsConfig: put(SETTINGS.httpsConfig),
  GetBucketHttpsConfig: get(SETTINGS.httpsConfig),
  PutBucketResourceGroup: put(SETTINGS.resourceGroup),
  GetBucketResourceGroup: get(SETTINGS.resourceGroup),
  PutPublicAccessBlock: put(SETTINGS.publicAccessBlock),
  GetPublicAccessBlock: get(SETTINGS.publicAccessBlock),
  DeletePublicAccessBlock: remove(SETTINGS.publicAccessBlock),
  PutBucketStorageCapacity: put(SETTINGS.qos),
  GetBucketStorageCapacity: get(SETTINGS.qos),
  PutBucketQosInfo: put(SETTINGS.qosInfo),
  GetBucketQosInfo: get(SETTINGS.qosInfo),
  DeleteBucketQosInfo: remove(SETTINGS.qosInfo),
  PutBucketCallbackPolicy: put(SETTINGS.callbackPolicy),
  GetBucketCallbackPolicy: get(SETTINGS.callbackPolicy),
  DeleteBucketCallbackPolicy: remove(SETTINGS.callbackPolicy),
  PutBucketOverwriteConfig: put(SETTINGS.overwriteConfig),
  GetBucketOverwriteConfig: get(SETTINGS.overwriteConfig),
  DeleteBucketOverwriteConfig: remove(SETTINGS.overwriteConfig),
  PutUserDefinedLogFieldsConfig: put(SETTINGS.userDefinedLogFieldsConfig),
  GetUserDefinedLogFieldsConfig: get(SETTINGS.userDefinedLogFieldsConfig),
  DeleteUserDefinedLogFieldsConfig: remove(SETTINGS.userDefinedLogFieldsConfig),
} as const satisfies Record<string, Operation>
