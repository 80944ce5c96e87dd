import {
  createPrivateKey,
  createPublicKey,
  createSign,
  generateKeyPair,
  type KeyObject,
  randomBytes,
} from 'node:crypto'
import { promisify } from 'node:util'

/** A key with a certificate that it has signed itself. */
export interface Certificate {
  /** X.509, PEM. */
  readonly pem: string
  /** SHA1 with RSA, which is what the service signs its pushes with; base64. */
  sign(text: string): string
}

/** A new private key, PEM. */
export async function newPrivateKey(): Promise<string> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  return privateKey
}

/** The certificate of a private key. */
export function openCertificate(privatePem: string): Certificate {
  const key = createPrivateKey(privatePem)
  const der = selfSigned(key)
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return {
    pem: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`,
    sign: (text) => createSign('RSA-SHA1').update(text).sign(key, 'base64'),
  }
}

const SEQUENCE = 0x30
const SHA256_WITH_RSA = sequence(der(0x06, Buffer.from('2a864886f70d01010b', 'hex')), der(0x05))
const COMMON_NAME = der(0x06, Buffer.from('550403', 'hex'))

/** The smallest X.509 version 3 certificate. https://www.rfc-editor.org/rfc/rfc5280#section-4.1 */
function selfSigned(key: KeyObject): Buffer {
  const version = der(0xa0, der(0x02, Buffer.from([2])))
  const serial = der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)]))
  const name = sequence(der(0x31, sequence(COMMON_NAME, der(0x0c, Buffer.from('notify')))))
  const validity = sequence(utcTime('200101000000Z'), utcTime('491231235959Z'))
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' })
  const body = sequence(version, serial, SHA256_WITH_RSA, name, validity, name, publicKey)
  const signature = createSign('RSA-SHA256').update(body).sign(key)
  return sequence(body, SHA256_WITH_RSA, der(0x03, Buffer.from([0]), signature))
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(SEQUENCE, ...parts)
}

function utcTime(text: string): Buffer {
  return der(0x17, Buffer.from(text))
}

/** Tag, length, contents. https://www.itu.int/rec/T-REC-X.690 */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  if (content.length < 0x80) return Buffer.concat([Buffer.from([tag, content.length]), content])
  const hex = content.length.toString(16)
  const length = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, content])
}
