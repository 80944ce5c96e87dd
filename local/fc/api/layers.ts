import { list, ManifestError, oneOf } from '../manifest-error.ts'
import { type LayerRecord, numbered } from '../records.ts'
import {
  type ApiCall,
  type ApiContext,
  arnOf,
  isoTime,
  notFound,
  type Operation,
  page,
  part,
  readLimit,
} from './call.ts'
import { readCode } from './code.ts'

/** CreateLayerVersion: the layer itself comes with its first version. */
export const createLayerVersion: Operation = async (call, context) => {
  const { records, catalog, now } = context
  const layerName = part(call, 'layerName')
  if (!/^[A-Za-z_][A-Za-z0-9_-]{0,63}$/.test(layerName)) {
    throw new ManifestError('layerName', 'expected 1 to 64 of A-Z a-z 0-9 _ -, not starting with a digit or -')
  }
  const { description, license } = {
    description: optionalText(call, 'description'),
    license: optionalText(call, 'license'),
  }
  const compatibleRuntime = list(call.body.compatibleRuntime ?? undefined, 'compatibleRuntime').map(String)
  const code = await readCode(call.body.code, context)
  const created = await catalog.commit(() => {
    const head = records.layerHeads.get(layerName) ?? { acl: '0' as const, lastVersion: 0 }
    const version = head.lastVersion + 1
    const layer: LayerRecord = { layerName, version, description, license, compatibleRuntime, code, createdAt: now() }
    records.layerHeads.put({ ...head, lastVersion: version }, layerName)
    records.layers.put(layer, layerName, numbered(version))
    return layer
  })
  return describe(created, context)
}

/** GetLayerVersion. */
export const getLayerVersion: Operation = (call, context) =>
  describe(layerOf(part(call, 'layerName'), part(call, 'version'), context), context)

/** GetLayerVersionByArn. */
export const getLayerVersionByArn: Operation = (call, context) => {
  const arn = part(call, 'arn')
  const [, name = '', version = ''] = /^acs:fc:[^:]+:\d+:layers\/([^/]+)\/versions\/(\d+)$/.exec(arn) ?? []
  if (name === '') throw new ManifestError('arn', 'expected acs:fc:REGION:ACCOUNT:layers/NAME/versions/N')
  return describe(layerOf(name, version, context), context)
}

/** ListLayers: the last version of each. */
export const listLayers: Operation = (call, context) => {
  const { records } = context
  const prefix = call.query.get('prefix') ?? ''
  const isPublic = call.query.get('public') === 'true'
  // The vendor's own layers are not here.
  if (call.query.get('official') === 'true') return { layers: [] }
  const newest = new Map(records.layers.list().map((layer) => [layer.layerName, layer]))
  const all = [...newest.values()].filter(
    ({ layerName }) => layerName.startsWith(prefix) && (!isPublic || records.layerHeads.get(layerName)?.acl === '1'),
  )
  const { items, ...next } = page(all, ({ layerName }) => layerName, call)
  return { layers: items.map((one) => describe(one, context)), ...next }
}

/** ListLayerVersions, from a version on. */
export const listLayerVersions: Operation = (call, context) => {
  const layerName = part(call, 'layerName')
  const start = call.query.get('startVersion') || '1'
  if (!/^\d{1,9}$/.test(start)) throw new ManifestError('startVersion', 'expected a number')
  const all = context.records.layers.list(layerName).filter(({ version }) => version >= Number(start))
  const limit = readLimit(call.query.get('limit'))
  const next = all[limit]
  return {
    layers: all.slice(0, limit).map((one) => describe(one, context)),
    ...(next ? { nextVersion: next.version } : {}),
  }
}

/** DeleteLayerVersion: functions that have it keep what they run from until they are started anew. */
export const deleteLayerVersion: Operation = async (call, context) => {
  const { layerName, version } = layerOf(part(call, 'layerName'), part(call, 'version'), context)
  await context.catalog.commit(() => context.records.layers.remove(layerName, numbered(version)))
  return undefined
}

/** PutLayerACL: whether everybody may use it. */
export const putLayerAcl: Operation = async (call, { records, catalog }) => {
  const layerName = part(call, 'layerName')
  const { query } = call
  const acl = query.get('acl') ?? (query.get('public') === 'true' ? '1' : '0')
  const wanted = oneOf(acl, 'acl', ['0', '1'])
  await catalog.commit(() => {
    const head = records.layerHeads.get(layerName)
    if (!head) throw notFound('LayerNotFound', `layer '${layerName}' does not exist`)
    records.layerHeads.put({ ...head, acl: wanted }, layerName)
  })
  return undefined
}

function layerOf(name: string, version: string, { records }: ApiContext): LayerRecord {
  if (!/^\d{1,9}$/.test(version)) throw new ManifestError('version', 'expected a number')
  const found = records.layers.get(name, numbered(version))
  if (found) return found
  if (!records.layerHeads.get(name)) throw notFound('LayerNotFound', `layer '${name}' does not exist`)
  throw notFound('LayerVersionNotFound', `version '${version}' of layer '${name}' does not exist`)
}

function optionalText({ body }: ApiCall, name: string): string {
  const value = body[name]
  if (value === undefined || value === null) return ''
  if (typeof value !== 'string' || value.length > 256)
    throw new ManifestError(name, 'expected text of at most 256 characters')
  return value
}

function describe(layer: LayerRecord, context: ApiContext): object {
  const { layerName, version, code, createdAt } = layer
  return {
    layerName,
    version,
    layerVersionArn: arnOf(context, `layers/${layerName}/versions/${version}`),
    description: layer.description,
    license: layer.license,
    compatibleRuntime: layer.compatibleRuntime,
    code: { repositoryType: 'OSS', location: context.packageUrl(code.id) },
    codeChecksum: code.checksum,
    codeSize: code.size,
    createTime: isoTime(createdAt),
    acl: context.records.layerHeads.get(layerName)?.acl ?? '0',
  }
}
