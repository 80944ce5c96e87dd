import { createHash, createVerify, X509Certificate } from 'node:crypto'
import { expect } from 'vitest'
import type { Pushed } from './open.ts'

/** Verifies a push as its receiver would, from the documentation alone; gives back the address of the certificate. */
export async function verifyPush({ method, path, headers, body }: Pushed): Promise<string> {
  const url = Buffer.from(String(headers['x-mns-signing-cert-url']), 'base64').toString()
  const pem = await (await fetch(url)).text()
  const names = Object.keys(headers)
    .filter((name) => name.startsWith('x-mns-'))
    .sort()
  const head = [method, headers['content-md5'], headers['content-type'], headers.date]
  const text = [...head, ...names.map((name) => `${name}:${headers[name]}`), path].join('\n')
  const { publicKey } = new X509Certificate(pem)
  const isGood = createVerify('RSA-SHA1').update(text).verify(publicKey, String(headers.authorization), 'base64')
  expect(isGood).toBe(true)
  expect(headers['content-md5']).toBe(createHash('md5').update(body).digest('hex').toUpperCase())
  return url
}
