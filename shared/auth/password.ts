import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'

/** scrypt's parameters: 2^logN blocks of 128·r bytes, p times. */
export interface PasswordCost {
  readonly logN: number
  readonly r: number
  readonly p: number
}

/** 32 MB and about a quarter of a second, https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html */
const DEFAULT_COST: PasswordCost = { logN: 15, r: 8, p: 3 }
const HASH_BYTES = 32
const STORED = /^scrypt\$(\d{1,2})\$(\d{1,2})\$(\d{1,2})\$([\w-]{22})\$([\w-]{43})$/

/** `scrypt$logN$r$p$salt$hash`, so that the cost can be raised while old hashes stay valid. */
export async function hashPassword(password: string, cost: PasswordCost = DEFAULT_COST): Promise<string> {
  const salt = randomBytes(16)
  const hash = await derive(password, salt, cost)
  return ['scrypt', cost.logN, cost.r, cost.p, salt.toString('base64url'), hash.toString('base64url')].join('$')
}

/** Whether the password is the stored one; takes as long for an account that does not exist (`undefined`). */
export async function verifyPassword(
  password: string,
  stored: string | undefined,
  cost: PasswordCost = DEFAULT_COST,
): Promise<boolean> {
  if (stored === undefined) {
    await derive(password, randomBytes(16), cost)
    return false
  }
  const [, logN, r, p, salt, hash] = STORED.exec(stored) ?? []
  if (!salt || !hash) throw new Error('expected scrypt$logN$r$p$salt$hash')
  const params = { logN: Number(logN), r: Number(r), p: Number(p) }
  return timingSafeEqual(await derive(password, Buffer.from(salt, 'base64url'), params), Buffer.from(hash, 'base64url'))
}

/** The same word typed on different systems may differ in composition, hence NFC. */
function derive(password: string, salt: Buffer, { logN, r, p }: PasswordCost): Promise<Buffer> {
  const N = 2 ** logN
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFC'), salt, HASH_BYTES, { N, r, p, maxmem: 256 * N * r }, (error, key) =>
      error ? reject(error) : resolve(key),
    )
  })
}
