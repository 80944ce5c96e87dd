import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AsyncQueue } from './async-queue.ts'
import type { Catalog } from './catalog.ts'
import type { Fleet, Target } from './fleet.ts'
import type { HttpTrigger } from './function-config.ts'
import { toHttpEvent } from './http-event.ts'
import { refuse, serveHttpTrigger } from './http-trigger.ts'
import type { DomainRecord, Records } from './records.ts'
import { findRoute, parseRouteConfig, type Route, rewritten } from './routes.ts'

/** Requests from outside: custom domains and the URLs of HTTP triggers. */
export interface Front {
  /** The routes of the gateway's own address. */
  routes(): readonly Route[]
  /** Serves what is meant for a trigger's URL or for a domain by its name; `false` when it is neither. */
  serveNamed(request: IncomingMessage, response: ServerResponse): Promise<boolean>
  /** The same, and what the routes of the gateway's own address lead to. */
  serve(request: IncomingMessage, response: ServerResponse): Promise<boolean>
}

export interface FrontOptions {
  readonly catalog: Pick<Catalog, 'derived'>
  readonly records: Records
  readonly fleet: Fleet
  readonly queue: AsyncQueue
  readonly accountId: string
  /** What this machine is called by; a domain of that name is the gateway's own address. */
  readonly ownName: string
  /** Names of the domains of `s.yaml`, which that address stands for while there is no domain of its name. */
  readonly ownDomains: readonly string[]
  readonly slowMs?: number
  newRequestId(): string
  now(): number
}

const DEFAULT_METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH']

/** `/2016-08-15/proxy/QUALIFIER/FUNCTION/…`: an HTTP trigger by path, since nothing resolves names of this machine's own. */
const PROXY = /^\/2016-08-15\/proxy\/([^/]+)\/([^/?]+)(.*)$/s

/** Opens the front. */
export function openFront(options: FrontOptions): Front {
  const { catalog, records, ownName, ownDomains } = options
  const routesByDomain = catalog.derived(
    () => new Map(records.domains.list().map((domain) => [domain.domainName, routesOf(domain)])),
  )
  const ownRoutes = catalog.derived(() => {
    const routes = routesByDomain()
    return routes.get(ownName) ?? ownDomains.flatMap((name) => routes.get(name) ?? [])
  })

  async function serveNamed(request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const proxied = PROXY.exec(request.url ?? '/')
    if (proxied) {
      await serveProxied(options, proxied, request, response)
      return true
    }
    const host = hostOf(request)
    const routes = host === ownName ? undefined : findDomain(routesByDomain(), host)
    if (!routes) return false
    const route = findRoute(routes, pathOf(request))
    if (route) await serveRoute(options, route, request, response)
    else answerNothing(options, request, response)
    return true
  }

  return {
    routes: ownRoutes,
    serveNamed,
    async serve(request, response) {
      if (await serveNamed(request, response)) return true
      const route = findRoute(ownRoutes(), pathOf(request))
      if (route) await serveRoute(options, route, request, response)
      return route !== undefined
    },
  }
}

async function serveProxied(
  options: FrontOptions,
  [, qualifier = '', functionName = '', rest = '']: readonly string[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  request.url = rest.startsWith('/') ? rest : `/${rest}`
  await serveTrigger(options, lookUp(options, functionName, qualifier), request, response)
}

function pathOf({ url = '/' }: IncomingMessage): string {
  return url.split('?')[0] ?? '/'
}

function hostOf({ headers }: IncomingMessage): string {
  return (headers.host ?? '').replace(/:\d+$/, '').toLowerCase()
}

function routesOf({ settings, domainName }: DomainRecord): readonly Route[] {
  return parseRouteConfig(settings.routeConfig ?? {}, domainName)
}

/** The routes of a domain by its name, or of one that begins with `*.`. */
function findDomain(routes: ReadonlyMap<string, readonly Route[]>, host: string): readonly Route[] | undefined {
  return routes.get(host) ?? routes.get(`*.${host.split('.').slice(1).join('.')}`)
}

function answerNothing(options: FrontOptions, request: IncomingMessage, response: ServerResponse): void {
  response.setHeader('X-Fc-Request-Id', options.newRequestId())
  refuse(request, response, 404, 'DomainRouteNotFound', `no route of the domain leads from ${pathOf(request)}`)
}

async function serveRoute(
  options: FrontOptions,
  route: Route,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  request.url = rewritten(request.url ?? '/', route)
  const target = lookUp(options, route.functionName, route.qualifier ?? 'LATEST')
  // Who comes by a domain is not asked whether the trigger's own URL is open.
  const open = target?.http ? { ...target, http: { ...target.http, isOffInternet: false } } : undefined
  await serveTrigger(options, open, request, response, route.methods)
}

interface Found extends Target {
  readonly qualifier: string
}

function lookUp({ fleet }: FrontOptions, functionName: string, qualifier: string): Found | undefined {
  const found = fleet.lookUp(functionName, qualifier)
  return found && { ...found, qualifier }
}

async function serveTrigger(
  options: FrontOptions,
  target: Found | undefined,
  request: IncomingMessage,
  response: ServerResponse,
  methods?: readonly string[],
): Promise<void> {
  const { accountId, queue, now } = options
  const requestId = options.newRequestId()
  response.setHeader('X-Fc-Request-Id', requestId)
  if (!target?.http) return refuse(request, response, 404, 'TriggerNotFound', 'there is no HTTP trigger here')
  const why = whyRefused(target.http)
  if (why !== undefined) return refuse(request, response, 403, 'AccessDenied', why)
  const { functionName } = target.record
  return serveHttpTrigger(target.deployed, request, response, {
    requestId,
    methods: methodsOf(target.http, methods),
    ...(options.slowMs === undefined ? {} : { slowMs: options.slowMs }),
    invokeLater(incoming) {
      const payload = toHttpEvent(incoming, requestId, { accountId, now: now() })
      queue.add({ functionName, qualifier: target.qualifier, requestId, payload })
    },
  })
}

function whyRefused({ authType = 'anonymous', isOffInternet = false }: HttpTrigger): string | undefined {
  if (authType !== 'anonymous') return `requests that are authorized by ${authType} are not served by the local cloud`
  return isOffInternet ? 'access from the internet is disabled for this trigger' : undefined
}

function methodsOf(trigger: HttpTrigger, ofRoute: readonly string[] | undefined): readonly string[] {
  const ofTrigger = trigger.methods.length > 0 ? trigger.methods : DEFAULT_METHODS
  return ofTrigger.filter((method) => ofRoute?.includes(method) ?? true)
}
