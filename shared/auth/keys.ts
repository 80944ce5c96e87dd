import { hkdfSync } from 'node:crypto'

/** A key for one purpose, so that nothing signed for one can pass as another. */
export function deriveKey(secret: string, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `yunbo/${purpose}`, 32))
}
