import { randomBytes } from 'node:crypto'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const LENGTH = 16
/** The largest multiple of 62 that fits a byte; bytes above it would make some characters likelier than others. */
const FAIR = 248

/**
 * A new random id: 16 characters of `[A-Za-z0-9]`, each uniformly chosen, which is 95.3 bits (log2 of 62 to the 16th).
 * Short enough for two to fit a WeChat `scene` of 32 characters.
 */
export function newId(): string {
  let id = ''
  while (id.length < LENGTH) id += charactersOf(randomBytes(LENGTH - id.length))
  return id
}

function charactersOf(bytes: Uint8Array): string {
  let characters = ''
  for (const byte of bytes) if (byte < FAIR) characters += ALPHABET.charAt(byte % ALPHABET.length)
  return characters
}
