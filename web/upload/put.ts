import { type PutOptions, StoreError } from './store.ts'

/** A connection that moves nothing for so long is given up. */
const STALLED_MS = 45_000

/** Sends bytes to a signed URL; answers the ETag. XMLHttpRequest, since `fetch` does not tell how much has left. */
export function putBytes(url: string, bytes: Blob, { signal, onSent }: PutOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const request = new XMLHttpRequest()
    const silence = (reason: string) => reject(new StoreError('network', 0, reason))
    const stalled = watchdog(() => {
      silence('Nothing could be sent for a while.')
      request.abort()
    })
    const abort = () => {
      reject(signal.reason)
      request.abort()
    }
    signal.addEventListener('abort', abort, { once: true })
    request.upload.onprogress = ({ loaded }) => {
      stalled.reset()
      onSent(loaded)
    }
    request.onload = () => {
      const etag = request.getResponseHeader('etag')
      if (request.status !== 200) reject(refusalOf(request))
      else if (etag === null) reject(new StoreError('EtagHidden', 200, 'The bucket does not expose ETag to this page.'))
      else resolve(etag)
    }
    request.onerror = () => silence('OSS cannot be reached.')
    request.onloadend = () => {
      stalled.stop()
      signal.removeEventListener('abort', abort)
    }
    request.open('PUT', url)
    request.send(bytes)
  })
}

function refusalOf({ status, responseText }: XMLHttpRequest): StoreError {
  const text = (name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(responseText)?.[1]
  return new StoreError(text('Code') ?? 'unknown', status, text('Message') ?? `OSS answered ${status}.`)
}

function watchdog(bark: () => void) {
  let timer = setTimeout(bark, STALLED_MS)
  return {
    reset() {
      clearTimeout(timer)
      timer = setTimeout(bark, STALLED_MS)
    },
    stop: () => clearTimeout(timer),
  }
}
