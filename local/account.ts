import { randomBytes, randomInt } from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { StartupError } from './start-error.ts'

/** Who owns the local cloud: made once for a data folder, kept in `account.json`. */
export interface Account {
  readonly accountId: string
  readonly accessKeyId: string
  readonly accessKeySecret: string
  /** What the product signs its own tokens with. */
  readonly secretKey: string
  readonly user: { readonly username: string; readonly password: string }
}

/** Reads the account of a data folder, or makes one that only its owner can read. */
export async function openAccount(dataDir: string): Promise<Account> {
  const path = join(dataDir, 'account.json')
  const kept = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (kept !== undefined) return parse(kept, path)
  const account = newAccount()
  await writeFile(`${path}.new`, `${JSON.stringify(account, null, 2)}\n`, { mode: 0o600 })
  await rename(`${path}.new`, path)
  return account
}

function parse(text: string, path: string): Account {
  try {
    return JSON.parse(text) as Account
  } catch (cause) {
    throw new StartupError(`${path} is broken; put it right, or start with another --data`, { cause })
  }
}

function newAccount(): Account {
  return {
    accountId: `1${Array.from({ length: 15 }, () => randomInt(10)).join('')}`,
    accessKeyId: `LTAI${letters(20)}`,
    accessKeySecret: letters(30),
    secretKey: randomBytes(32).toString('base64url'),
    user: { username: 'demo', password: letters(16) },
  }
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

function letters(count: number): string {
  return Array.from({ length: count }, () => ALPHABET[randomInt(ALPHABET.length)]).join('')
}
