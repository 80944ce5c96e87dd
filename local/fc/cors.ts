import type { IncomingMessage, ServerResponse } from 'node:http'

/** A browser asking whether it may send the real request. */
export function isPreflight(request: IncomingMessage): boolean {
  const { origin, 'access-control-request-method': method } = request.headers
  return request.method === 'OPTIONS' && origin !== undefined && method !== undefined
}

/** The gateway answers for triggers that do not take OPTIONS themselves. */
export function answerPreflight(request: IncomingMessage, response: ServerResponse, methods: readonly string[]): void {
  addCorsHeaders(request, response)
  response.setHeader('Access-Control-Allow-Methods', methods.join(', '))
  const wanted = request.headers['access-control-request-headers']
  if (wanted !== undefined) response.setHeader('Access-Control-Allow-Headers', wanted)
  response.setHeader('Access-Control-Max-Age', '3600')
  response.writeHead(204).end()
}

/**
 * Reflects the origin. What the function set by itself stays beside it, so that a function with CORS headers of its own
 * answers with two values and browsers refuse, as they do in the cloud.
 */
export function addCorsHeaders(request: IncomingMessage, response: ServerResponse): void {
  const { origin } = request.headers
  if (origin === undefined) return
  response.appendHeader('Access-Control-Allow-Origin', origin)
  response.appendHeader('Access-Control-Allow-Credentials', 'true')
  response.appendHeader('Access-Control-Expose-Headers', 'Date,x-fc-request-id,x-fc-error-type')
}
