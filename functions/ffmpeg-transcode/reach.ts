import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { SourceInput } from './args.ts'

/**
 * The same source with its host's address in the URL and its name beside it, for a build that cannot look names up. With
 * TLS nothing is lost: ffmpeg does not check certificates unless it is told to, and the bytes are bound by their ETag.
 */
export async function byAddress(source: SourceInput): Promise<SourceInput> {
  const url = new URL(source.url)
  const name = url.hostname.replace(/^\[|\]$/g, '')
  if (isIP(name) !== 0) return source
  const { address, family } = await lookup(name, { verbatim: false })
  const { host } = url
  // Cut and joined as text: a URL object would write the signed query anew.
  const start = source.url.indexOf(host)
  const port = url.port === '' ? '' : `:${url.port}`
  const shown = family === 6 ? `[${address}]` : address
  return { ...source, url: source.url.slice(0, start) + shown + port + source.url.slice(start + host.length), host }
}
