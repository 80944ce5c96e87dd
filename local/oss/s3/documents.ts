import { readXml, writeXml, type XmlElement, XmlError, type XmlFields } from '../../wire/xml.ts'
import type { OperationName } from '../detect.ts'
import { OssError } from '../errors.ts'
import type { BucketAcl } from '../records.ts'
import { amazonStorageClass, ossStorageClass } from './classes.ts'

const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/'

/** Documents of S3 that the service has in another form, by the operation whose body they are. */
const REQUESTS: Partial<Record<OperationName, (text: string, region: string) => string>> = {
  PutBucket: createBucketConfiguration,
  PutBucketLifecycle: lifecycleFromAmazon,
  // How many days it is to last is left out of account, as documented with the storage classes.
  RestoreObject: () => '',
}

/** How to turn the body of an operation into the service's form, where that is another one. */
export function requestTranslation(operation: OperationName, region: string): ((text: string) => string) | undefined {
  const translate = REQUESTS[operation]
  if (translate === undefined) return undefined
  return (text) => {
    try {
      return text.trim() === '' ? '' : translate(text, region)
    } catch (error) {
      // What is no XML the operation refuses by itself.
      if (error instanceof XmlError) return text
      throw error
    }
  }
}

/** Regions have no prefix in S3's clients, which name the one they sign for. */
function createBucketConfiguration(text: string, region: string): string {
  const body = readXml(text, 'CreateBucketConfiguration')
  const location = body.value('LocationConstraint')?.trim()
  return writeXml('CreateBucketConfiguration', {
    LocationConstraint: location === region ? `oss-${region}` : location || undefined,
  })
}

function lifecycleFromAmazon(text: string): string {
  const rules = readXml(text, 'LifecycleConfiguration').all('Rule')
  return writeXml('LifecycleConfiguration', { Rule: rules.map(ruleFromAmazon) })
}

function ruleFromAmazon(rule: XmlElement): XmlFields {
  const filter = rule.all('Filter')[0]
  const scope = filter?.all('And')[0] ?? filter
  const fields = rule.children
    .filter(({ name }) => name !== 'Filter' && name !== 'Prefix')
    .map((child) => (child.name === 'AbortIncompleteMultipartUpload' ? abortFromAmazon(child) : child))
  return {
    ...grouped(fields, 'ossStorageClass'),
    Prefix: scope?.value('Prefix') ?? rule.value('Prefix') ?? '',
    Tag: (scope?.all('Tag') ?? []).map((tag) => grouped(tag.children, 'ossStorageClass')),
  }
}

function abortFromAmazon(element: XmlElement): XmlElement {
  const children = element.children.map((child) => ({ ...child, name: 'Days' }))
  return { ...element, name: 'AbortMultipartUpload', children }
}

/** Elements as fields, those of one name together, with classes in the other's names. */
function grouped(elements: readonly XmlElement[], classes: 'ossStorageClass' | 'amazonStorageClass'): XmlFields {
  const translate = classes === 'ossStorageClass' ? ossStorageClass : amazonStorageClass
  const fieldOf = ({ name, text, children }: XmlElement) => {
    if (children.length > 0) return grouped(children, classes)
    return name === 'StorageClass' ? translate(text.trim()) : text
  }
  const names = [...new Set(elements.map(({ name }) => name))]
  return Object.fromEntries(names.map((name) => [name, elements.filter((one) => one.name === name).map(fieldOf)]))
}

/** An answer's document as S3 has it: in its namespace, with its storage classes, and grants spelled out. */
export function translateDocument(operation: OperationName, text: string): string {
  if (operation === 'GetBucketAcl' || operation === 'GetObjectAcl') return accessControlPolicy(text)
  const own = operation === 'GetBucketLifecycle' ? lifecycleToAmazon(text) : text
  const classed = own.replace(
    /<StorageClass>(\w+)<\/StorageClass>/g,
    (_, name: string) => `<StorageClass>${amazonStorageClass(name)}</StorageClass>`,
  )
  return inNamespace(classed)
}

function inNamespace(text: string): string {
  return text.replace(/(\?>\s*<\w+)/, `$1 xmlns="${NAMESPACE}"`)
}

function lifecycleToAmazon(text: string): string {
  const rules = readXml(text, 'LifecycleConfiguration').all('Rule')
  return writeXml('LifecycleConfiguration', { Rule: rules.map(ruleToAmazon) })
}

function ruleToAmazon(rule: XmlElement): XmlFields {
  const kept = rule.children.filter(({ name }) => !['Prefix', 'Tag', 'AbortMultipartUpload'].includes(name))
  const Prefix = rule.value('Prefix') ?? ''
  const Tag = rule.all('Tag').map((tag) => grouped(tag.children, 'amazonStorageClass'))
  const abort = rule.all('AbortMultipartUpload')[0]
  return {
    ...grouped(kept, 'amazonStorageClass'),
    Filter: Tag.length === 0 ? { Prefix } : { And: { Prefix, Tag } },
    AbortIncompleteMultipartUpload: abort && { DaysAfterInitiation: abort.value('Days') },
  }
}

const EVERYONE = 'http://acs.amazonaws.com/groups/global/AllUsers'

/**
 * The ACL that a list of grants comes to, if it is one of the three that the service has.
 * https://help.aliyun.com/zh/oss/developer-reference/compatibility-with-amazon-s3
 */
export function cannedAcl(text: string, accountId: string): BucketAcl | undefined {
  if (text.trim() === '') return undefined
  const grants = readAccessControlPolicy(text).filter(({ id, permission }) => {
    return id !== accountId || permission !== 'FULL_CONTROL'
  })
  const everyone = grants.filter(({ uri }) => uri === EVERYONE).map(({ permission }) => permission)
  const words = [...new Set(everyone)].sort().join(' ')
  const acl = grants.length === everyone.length ? CANNED[words] : undefined
  if (acl !== undefined) return acl
  throw new OssError('NotImplemented', { Header: 'AccessControlPolicy' })
}

const CANNED: Readonly<Record<string, BucketAcl>> = {
  '': 'private',
  READ: 'public-read',
  'READ WRITE': 'public-read-write',
}

function readAccessControlPolicy(text: string) {
  const list = parsed(text, 'AccessControlPolicy').all('AccessControlList')[0]
  return (list?.all('Grant') ?? []).map((one) => {
    const grantee = one.all('Grantee')[0]
    return { id: grantee?.value('ID'), uri: grantee?.value('URI'), permission: one.value('Permission') }
  })
}

function parsed(text: string, root: string): XmlElement {
  try {
    return readXml(text, root)
  } catch (error) {
    throw error instanceof XmlError ? new OssError('MalformedXML') : error
  }
}

/** S3 has a list of who may do what; the service has four words for it. */
function accessControlPolicy(text: string): string {
  const document = readXml(text, 'AccessControlPolicy')
  const id = document.all('Owner')[0]?.value('ID') ?? ''
  const acl = document.all('AccessControlList')[0]?.value('Grant') ?? ''
  const owner = `<ID>${id}</ID><DisplayName>${id}</DisplayName>`
  const grants = [
    grant('CanonicalUser', owner, 'FULL_CONTROL'),
    ...(acl.startsWith('public-read') ? [grant('Group', `<URI>${EVERYONE}</URI>`, 'READ')] : []),
    ...(acl === 'public-read-write' ? [grant('Group', `<URI>${EVERYONE}</URI>`, 'WRITE')] : []),
  ]
  const list = `<AccessControlList>${grants.join('')}</AccessControlList>`
  const body = `<AccessControlPolicy xmlns="${NAMESPACE}"><Owner>${owner}</Owner>${list}</AccessControlPolicy>`
  return `<?xml version="1.0" encoding="UTF-8"?>\n${body}`
}

function grant(type: string, grantee: string, permission: string): string {
  const attributes = `xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="${type}"`
  return `<Grant><Grantee ${attributes}>${grantee}</Grantee><Permission>${permission}</Permission></Grant>`
}
