import { ManifestError, oneOf, record, text } from '../manifest-error.ts'
import type { DomainRecord } from '../records.ts'
import { parseRouteConfig } from '../routes.ts'
import { type ApiCall, type ApiContext, alreadyExists, isoTime, notFound, type Operation, page, part } from './call.ts'

const FIELDS = ['authConfig', 'certConfig', 'corsConfig', 'protocol', 'routeConfig', 'tlsConfig', 'wafConfig']

/** CreateCustomDomain. */
export const createCustomDomain: Operation = async ({ body }, context) => {
  const { records, catalog, now } = context
  const domainName = readDomainName(body.domainName)
  const created = await catalog.commit(() => {
    if (records.domains.get(domainName)) {
      throw alreadyExists('DomainNameAlreadyExists', `domain name '${domainName}' already exists`)
    }
    const at = now()
    return keep({ domainName, createdAt: at, modifiedAt: at, settings: readSettings(body, {}) }, context)
  })
  return describe(created, context)
}

/** GetCustomDomain. */
export const getCustomDomain: Operation = (call, context) => describe(domainOf(call, context), context)

/** UpdateCustomDomain: what is not said stays. */
export const updateCustomDomain: Operation = async (call, context) => {
  const updated = await context.catalog.commit(() => {
    const before = domainOf(call, context)
    const settings = readSettings(call.body, before.settings)
    return keep({ ...before, settings, modifiedAt: context.now() }, context)
  })
  return describe(updated, context)
}

/** ListCustomDomains. */
export const listCustomDomains: Operation = (call, context) => {
  const prefix = call.query.get('prefix') ?? ''
  const all = context.records.domains.list().filter(({ domainName }) => domainName.startsWith(prefix))
  const { items, ...next } = page(all, ({ domainName }) => domainName, call)
  return { customDomains: items.map((one) => describe(one, context)), ...next }
}

/** DeleteCustomDomain. */
export const deleteCustomDomain: Operation = async (call, context) => {
  const { domainName } = domainOf(call, context)
  await context.catalog.commit(() => context.records.domains.remove(domainName))
  return undefined
}

function readDomainName(value: unknown): string {
  const name = text(value, 'domainName').toLowerCase()
  // A name without a dot is this machine's own, `localhost`: the gateway's address.
  if (
    name.length <= 253 &&
    /^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name)
  )
    return name
  throw new ManifestError('domainName', 'expected a domain name')
}

function readSettings(body: ApiCall['body'], before: DomainRecord['settings']): DomainRecord['settings'] {
  const given = FIELDS.filter((name) => body[name] !== undefined && body[name] !== null)
  const settings: Record<string, unknown> = {
    ...before,
    ...Object.fromEntries(given.map((name) => [name, body[name]])),
  }
  const protocol = oneOf(settings.protocol ?? 'HTTP', 'protocol', ['HTTP', 'HTTPS', 'HTTP,HTTPS'])
  const routeConfig = settings.routeConfig ?? { routes: [] }
  parseRouteConfig(routeConfig, 'routeConfig')
  if (protocol !== 'HTTP') checkCertificate(settings.certConfig)
  return { ...settings, protocol, routeConfig }
}

function checkCertificate(value: unknown): void {
  const { certName, certificate, privateKey } = record(value ?? {}, 'certConfig')
  text(certName, 'certConfig.certName')
  if (!/-----BEGIN CERTIFICATE-----/.test(text(certificate, 'certConfig.certificate'))) {
    throw new ManifestError('certConfig.certificate', 'expected PEM')
  }
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text(privateKey, 'certConfig.privateKey'))) {
    throw new ManifestError('certConfig.privateKey', 'expected PEM')
  }
}

function keep(domain: DomainRecord, { records }: ApiContext): DomainRecord {
  records.domains.put(domain, domain.domainName)
  return domain
}

function domainOf(call: ApiCall, { records }: ApiContext): DomainRecord {
  const name = part(call, 'domainName')
  const found = records.domains.get(name)
  if (!found) throw notFound('DomainNameNotFound', `domain name '${name}' does not exist`)
  return found
}

function describe({ domainName, createdAt, modifiedAt, settings }: DomainRecord, { accountId }: ApiContext): object {
  const { certConfig, ...rest } = settings
  return {
    ...rest,
    ...(certConfig ? { certConfig: { ...record(certConfig, 'certConfig'), privateKey: undefined } } : {}),
    accountId,
    apiVersion: '2023-03-30',
    createdTime: isoTime(createdAt),
    domainName,
    lastModifiedTime: isoTime(modifiedAt),
    subdomainCount: '0',
  }
}
