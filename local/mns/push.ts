import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { Certificate } from './certificate.ts'
import { type Notification, pushHeaders, pushStringToSign } from './notification.ts'

/** A subscriber has so long to answer. https://www.alibabacloud.com/help/doc-detail/178972.htm */
const PATIENCE_MS = 5000

/** Who pushes, and when. */
export interface Pusher {
  readonly certificate: Certificate
  readonly certificateUrl: string
  readonly requestId: string
  readonly at: number
  /** Gives up waiting for an answer. */
  readonly signal: AbortSignal
}

/** Sends a notification to an endpoint, signed; `true` when it was taken, that is, answered with 2xx. */
export function push(endpoint: string, notification: Notification, pusher: Pusher): Promise<boolean> {
  const url = new URL(endpoint)
  const path = `${url.pathname === '/' ? '/notifications' : url.pathname}${url.search}`
  const headers = pushHeaders(notification, pusher)
  const authorization = pusher.certificate.sign(pushStringToSign({ method: 'POST', path, headers }))
  const request = url.protocol === 'https:' ? requestHttps : requestHttp
  return new Promise((resolve) => {
    const sent = request({
      method: 'POST',
      host: url.hostname.replace(/^\[|\]$/g, ''),
      ...(url.port === '' ? {} : { port: url.port }),
      path,
      headers: { ...headers, authorization, 'user-agent': 'Aliyun Notification Service Agent' },
      agent: false,
      signal: AbortSignal.any([AbortSignal.timeout(PATIENCE_MS), pusher.signal]),
    })
    sent.on('response', (response) => {
      const { statusCode = 0 } = response
      response.resume()
      response.on('error', () => {})
      resolve(statusCode >= 200 && statusCode < 300)
    })
    sent.on('error', () => resolve(false))
    sent.end(notification.body)
  })
}
