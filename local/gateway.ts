import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { extname, join, normalize, sep } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { CONTROLS_PATH, type Controls, serveControls } from './controls/http.ts'
import { refuse } from './fc/http-trigger.ts'
import type { Fc } from './fc/index.ts'
import { newRequestId } from './fc/request-id.ts'

/** What stands behind the one origin. */
export interface GatewayTarget {
  readonly fc: Pick<Fc, 'front'>
  /** Folder of the built pages; absent: functions only. */
  readonly webDir?: string
  /** Where the pages find OSS. */
  readonly ossOrigin?: string
  /** What tests may do over HTTP; absent: nothing. */
  readonly controls?: Controls
  now(): number
}

/**
 * The custom domain: requests that a route covers go to its function, all others are pages. `target` is asked for at
 * each request, since the gateway's address has to be known before the functions can be started.
 */
export function gateway(target: () => GatewayTarget | undefined): RequestListener {
  return (request, response) => {
    serve(request, response, target()).catch((error: unknown) => {
      refuse(request, response, 500, 'InternalServerError', error instanceof Error ? error.message : String(error))
    })
  }
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  target: GatewayTarget | undefined,
): Promise<void> {
  if (!target) return refuse(request, response, 503, 'ServiceUnavailable', 'the local cloud is still starting')
  const path = (request.url ?? '/').split('?')[0] ?? '/'
  if (target.controls && path.startsWith(CONTROLS_PATH)) return serveControls(request, response, target.controls)
  if (await target.fc.front(request, response)) return
  if (await servePage(request, response, path, target)) return
  response.setHeader('X-Fc-Request-Id', newRequestId(target.now()))
  refuse(request, response, 404, 'DomainRouteNotFound', `no route and no page for ${path}`)
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
  '.txt': 'text/plain; charset=utf-8',
}

/** Sends the page or file of a path; `false` when there is none. */
async function servePage(
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  { webDir, ossOrigin }: GatewayTarget,
): Promise<boolean> {
  if (webDir === undefined || (request.method !== 'GET' && request.method !== 'HEAD')) return false
  const file = pageFile(path, webDir)
  const size = file === undefined ? undefined : await sizeOf(file)
  if (file === undefined || size === undefined) return false
  const type = TYPES[extname(file)] ?? 'application/octet-stream'
  response.writeHead(200, {
    'Content-Type': type,
    'Content-Length': size,
    // Names under /assets carry a hash of their content.
    'Cache-Control': path.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
    'X-Content-Type-Options': 'nosniff',
    ...(type.startsWith('text/html') ? pageHeaders(ossOrigin) : {}),
  })
  if (request.method === 'HEAD') response.end()
  else await pipeline(createReadStream(file), response).catch(() => response.destroy())
  return true
}

/**
 * What a page may do: run our scripts, style what its controls bring along, and speak to OSS wherever it is; this machine
 * is left open, since a tunnel or a proxy may stand before it.
 */
function pageHeaders(ossOrigin = ''): Record<string, string> {
  const elsewhere = `'self' https: http://localhost:* http://127.0.0.1:* ${ossOrigin}`.trim()
  const policy = [
    "default-src 'self'",
    "script-src 'self'",
    // The player's controls carry their styles inside their shadow trees.
    "style-src 'self' 'unsafe-inline'",
    `img-src ${elsewhere} data:`,
    `connect-src ${elsewhere}`,
    `media-src ${elsewhere} blob:`,
    "worker-src 'self' blob:",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'self'",
  ]
  return { 'Content-Security-Policy': policy.join('; '), 'Referrer-Policy': 'same-origin' }
}

const PAGES = /^\/(?:login|upload|library|watch\/[^/]+)?\/?$/

/** Every page is index.html, which looks at the address itself; everything else is a file of that name in the folder. */
function pageFile(path: string, webDir: string): string | undefined {
  if (PAGES.test(path)) return join(webDir, 'index.html')
  const decoded = decode(path)
  if (decoded === undefined || decoded.includes('\0')) return undefined
  const file = normalize(join(webDir, decoded))
  return file.startsWith(webDir + sep) ? file : undefined
}

function decode(path: string): string | undefined {
  try {
    return decodeURIComponent(path)
  } catch {
    return undefined
  }
}

async function sizeOf(file: string): Promise<number | undefined> {
  const found = await stat(file).catch(() => undefined)
  return found?.isFile() ? found.size : undefined
}
