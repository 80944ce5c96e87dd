import { readXml, rewriteXml, writeXml, type XmlElement } from '../wire/xml.ts'
import { readXmlBody } from './bodies.ts'
import { bucketOf } from './bucket-operations.ts'
import { changeSetting } from './bucket-settings.ts'
import { type Context, type Operation, xmlReply } from './context.ts'
import { invalidArgument, OssError } from './errors.ts'
import { xmlDate } from './metadata.ts'
import { checkInventory } from './setting-rules.ts'

/*
 * Settings of which a bucket has several, each with a name: inventories and picture styles.
 */

/** Documents of one kind in a bucket, by name. */
function documentsOf(context: Context, kind: string): ReadonlyMap<string, string> {
  const { settings } = context.store.bucket(bucketOf(context))
  const own = Object.entries(settings ?? {}).filter(([name]) => name.startsWith(`${kind}/`))
  return new Map(own.map(([name, text]) => [name.slice(kind.length + 1), text]))
}

function nameFrom({ request }: Context, parameter: string): string {
  const name = request.param(parameter) ?? ''
  if (/^[\w.-]{1,64}$/.test(name)) return name
  throw invalidArgument(parameter, name.slice(0, 64), `The ${parameter} is invalid.`)
}

const MAX_INVENTORIES = 1000
const INVENTORY_PAGE = 100

/** https://help.aliyun.com/zh/oss/developer-reference/putbucketinventory */
export const putBucketInventory: Operation = {
  action: 'oss:PutBucketInventory',
  async run(context) {
    const id = nameFrom(context, 'inventoryId')
    const documents = documentsOf(context, 'inventory')
    const document = await readXmlBody(context.request, 'InventoryConfiguration')
    checkInventory(document, context.store)
    if (document.value('Id')?.trim() !== id)
      throw invalidArgument('inventoryId', id, 'The id must be that of the body.')
    if (documents.has(id)) throw new OssError('InventoryAlreadyExist', { InventoryId: id })
    if (documents.size >= MAX_INVENTORIES) throw invalidArgument('inventoryId', id, 'There are too many inventories.')
    await changeSetting(context, `inventory/${id}`, rewriteXml(document))
    return { status: 200 }
  },
}

export const getBucketInventory: Operation = {
  action: 'oss:GetBucketInventory',
  run(context) {
    const id = nameFrom(context, 'inventoryId')
    const text = documentsOf(context, 'inventory').get(id)
    if (text === undefined) throw new OssError('NoSuchInventory', { InventoryId: id })
    return xmlReply(text)
  },
}

export const deleteBucketInventory: Operation = {
  action: 'oss:DeleteBucketInventory',
  async run(context) {
    const id = nameFrom(context, 'inventoryId')
    documentsOf(context, 'inventory')
    await changeSetting(context, `inventory/${id}`, undefined)
    return { status: 204 }
  },
}

export const listBucketInventory: Operation = {
  action: 'oss:GetBucketInventory',
  run(context) {
    const after = context.request.param('continuation-token') ?? ''
    const all = [...documentsOf(context, 'inventory')].sort(([a], [b]) => (a < b ? -1 : 1))
    if (all.length === 0) throw new OssError('NoSuchInventory', { BucketName: bucketOf(context) })
    const found = all.filter(([id]) => id > after)
    const page = found.slice(0, INVENTORY_PAGE)
    const more = found.length > page.length
    const inner = page.map(([, text]) => withoutDeclaration(rewriteXml(readXml(text, 'InventoryConfiguration'))))
    const next = more ? `<NextContinuationToken>${page.at(-1)?.[0] ?? ''}</NextContinuationToken>` : ''
    const declaration = '<?xml version="1.0" encoding="UTF-8"?>\n'
    const body = `${inner.join('')}<IsTruncated>${more}</IsTruncated>${next}`
    return xmlReply(`${declaration}<ListInventoryConfigurationsResult>${body}</ListInventoryConfigurationsResult>`)
  },
}

function withoutDeclaration(document: string): string {
  return document.slice(document.indexOf('\n') + 1)
}

const MAX_STYLES = 50

/** https://help.aliyun.com/zh/oss/developer-reference/putstyle */
export const putStyle: Operation = {
  action: 'oss:PutStyle',
  async run(context) {
    const name = nameFrom(context, 'styleName')
    const documents = documentsOf(context, 'style')
    const content = (await readXmlBody(context.request, 'Style')).value('Content')?.trim()
    if (!content) throw new OssError('MalformedXML')
    if (documents.size >= MAX_STYLES && !documents.has(name)) {
      throw invalidArgument('styleName', name, 'There are too many styles.')
    }
    const old = documents.get(name)
    const changed = xmlDate(context.now())
    const made = old === undefined ? changed : (readXml(old, 'Style').value('CreateTime') ?? changed)
    const fields = { Name: name, Content: content, CreateTime: made, LastModifyTime: changed }
    await changeSetting(context, `style/${name}`, writeXml('Style', fields))
    return { status: 200 }
  },
}

export const getStyle: Operation = {
  action: 'oss:GetStyle',
  run(context) {
    const name = nameFrom(context, 'styleName')
    const text = documentsOf(context, 'style').get(name)
    if (text === undefined) throw new OssError('NoSuchStyle', { StyleName: name })
    return xmlReply(text)
  },
}

export const deleteStyle: Operation = {
  action: 'oss:DeleteStyle',
  async run(context) {
    const name = nameFrom(context, 'styleName')
    documentsOf(context, 'style')
    await changeSetting(context, `style/${name}`, undefined)
    return { status: 204 }
  },
}

export const listStyle: Operation = {
  action: 'oss:ListStyle',
  run(context) {
    const styles = [...documentsOf(context, 'style').values()].map((text) => styleFields(readXml(text, 'Style')))
    return xmlReply(writeXml('StyleList', { Style: styles }))
  },
}

function styleFields(style: XmlElement) {
  return Object.fromEntries(style.children.map(({ name, text }) => [name, text]))
}
