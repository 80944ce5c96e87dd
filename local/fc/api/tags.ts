import { list, ManifestError, record, text } from '../manifest-error.ts'
import { type ApiCall, type ApiContext, notFound, type Operation, page } from './call.ts'

interface Tag {
  readonly key: string
  readonly value: string
}

const FUNCTION_TYPES = ['ALIYUN::FC::FUNCTION', 'ALIYUN::FC:FUNCTION', 'function']
const TAGS_AT_MOST = 20

/** TagResources. */
export const tagResources: Operation = async ({ body }, context) => {
  const arns = resourceArns(body.ResourceId, body.ResourceType, context)
  const tags = readTags(body.Tag, 'Key', 'Value')
  if (tags.length === 0) throw new ManifestError('Tag', 'expected at least one tag')
  await context.catalog.commit(() => {
    for (const arn of arns) {
      for (const { key, value } of tags) context.records.tags.put({ arn, key, value }, arn, key)
    }
  })
  return undefined
}

/** UntagResources. */
export const untagResources: Operation = async ({ query }, context) => {
  const arns = resourceArns(jsonList(query, 'ResourceId'), query.get('ResourceType'), context)
  const keys = jsonList(query, 'TagKey').map(String)
  const isAll = query.get('All') === 'true' && keys.length === 0
  await context.catalog.commit(() => {
    for (const arn of arns) {
      const tags = context.records.tags.list(arn).filter(({ key }) => isAll || keys.includes(key))
      for (const { key } of tags) context.records.tags.remove(arn, key)
    }
  })
  return undefined
}

/** ListTagResources. */
export const listTagResources: Operation = (call, { records }) => {
  const { query } = call
  const ids = jsonList(query, 'ResourceId').map(String)
  const wanted = readTags(jsonList(query, 'Tag'), 'Key', 'Value')
  const all = records.tags
    .list()
    .filter(({ arn }) => ids.length === 0 || ids.some((id) => arn === id || arn.endsWith(`/${id}`)))
  const hasAll = (arn: string) =>
    wanted.every(({ key, value }) => {
      const tag = records.tags.get(arn, key)
      return tag !== undefined && (value === '' || tag.value === value)
    })
  const { items, nextToken } = page(
    all.filter(({ arn }) => hasAll(arn)),
    ({ arn, key }) => `${arn} ${key}`,
    lowerCase(call),
  )
  const TagResources = items.map(({ arn, key, value }) => ({
    ResourceId: arn,
    ResourceType: 'ALIYUN::FC::FUNCTION',
    TagKey: key,
    TagValue: value,
  }))
  return { TagResources, ...(nextToken === undefined ? {} : { NextToken: nextToken }) }
}

/** Tags as some operation spells them. */
export function readTags(value: unknown, keyName: string, valueName: string): readonly Tag[] {
  const tags = list(value ?? undefined, 'tags').map((item) => {
    const tag = record(item, 'tags')
    const key = text(tag[keyName] ?? tag.Key ?? tag.key, 'tags.key')
    const given = tag[valueName] ?? tag.Value ?? tag.value ?? ''
    const isReserved = /^(aliyun|acs:)/i.test(key) || /https?:\/\//i.test(key)
    if (key.length > 64 || isReserved || typeof given !== 'string' || given.length > 128) {
      throw new ManifestError('tags', 'expected keys of at most 64 and values of at most 128 characters')
    }
    return { key, value: given }
  })
  if (tags.length > TAGS_AT_MOST) throw new ManifestError('tags', `expected ${TAGS_AT_MOST} tags at most`)
  return tags
}

function resourceArns(value: unknown, type: unknown, { records, accountId, region }: ApiContext): readonly string[] {
  if (!FUNCTION_TYPES.some((one) => one === type))
    throw new ManifestError('ResourceType', 'expected ALIYUN::FC::FUNCTION')
  const ids = list(value ?? undefined, 'ResourceId').map((id) => text(id, 'ResourceId'))
  if (ids.length === 0 || ids.length > 50) throw new ManifestError('ResourceId', 'expected 1 to 50 resources')
  return ids.map((id) => {
    const name = id.split('/').at(-1) ?? id
    if (!records.functions.get(name)) throw notFound('FunctionNotFound', `function '${name}' does not exist`)
    return `acs:fc:${region}:${accountId}:functions/${name}`
  })
}

/** This operation's query is the only one that is spelt with capitals. */
function lowerCase(call: ApiCall): ApiCall {
  const query = new URLSearchParams()
  for (const [name, lower] of [
    ['Limit', 'limit'],
    ['NextToken', 'nextToken'],
  ] as const) {
    const value = call.query.get(name)
    if (value !== null) query.set(lower, value)
  }
  return { ...call, query }
}

function jsonList(query: URLSearchParams, name: string): readonly unknown[] {
  const value = query.get(name)
  if (!value) return []
  try {
    return list(JSON.parse(value), name)
  } catch (error) {
    if (error instanceof ManifestError) throw error
    throw new ManifestError(name, 'expected a list in JSON')
  }
}
