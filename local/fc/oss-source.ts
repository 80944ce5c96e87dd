import { createHmac } from 'node:crypto'
import type { Credentials } from '../wire/credentials.ts'

/** Reads an object of OSS over the wire, as the service does; `undefined` when it cannot be read. */
export async function readObject(
  ossUrl: string,
  { accessKeyId, accessKeySecret }: Pick<Credentials, 'accessKeyId' | 'accessKeySecret'>,
  { bucket, key }: { readonly bucket: string; readonly key: string },
  limitBytes: number,
): Promise<Buffer | 'too-large' | undefined> {
  const date = new Date().toUTCString()
  // Signature version 1: https://help.aliyun.com/document_detail/31951.html
  const toSign = `GET\n\n\n${date}\n/${bucket}/${key}`
  const signature = createHmac('sha1', accessKeySecret).update(toSign).digest('base64')
  const path = `${encodeURIComponent(bucket)}/${key.split('/').map(encodeURIComponent).join('/')}`
  const response = await fetch(`${ossUrl}/${path}`, {
    headers: { date, authorization: `OSS ${accessKeyId}:${signature}` },
  })
  if (response.ok && Number(response.headers.get('content-length')) <= limitBytes) {
    return Buffer.from(await response.arrayBuffer())
  }
  await response.body?.cancel()
  return response.ok ? 'too-large' : undefined
}
