import { createPrivateKey, createPublicKey, generateKeyPair, sign } from 'node:crypto'
import { open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** The key by which receivers of callbacks know that it is this service that calls. */
export interface CallbackKey {
  readonly publicPem: string
  /** RSA over MD5, in base64. */
  sign(text: string): string
}

/** Reads the key of a data folder, and makes it where there is none yet. */
export async function openCallbackKey(dir: string): Promise<CallbackKey> {
  const path = join(dir, 'callback-key.pem')
  const privateKey = createPrivateKey(await readFile(path, 'utf8').catch(() => createKeyFile(path)))
  const publicPem = createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString()
  return {
    publicPem,
    sign: (text) => sign('RSA-MD5', Buffer.from(text), privateKey).toString('base64'),
  }
}

async function createKeyFile(path: string): Promise<string> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 })
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const file = await open(`${path}.new`, 'w', 0o600)
  try {
    await file.writeFile(pem)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(`${path}.new`, path)
  return pem
}
