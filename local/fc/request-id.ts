import { randomBytes } from 'node:crypto'

/** A request id in the form that Function Compute uses. */
export function newRequestId(now: number): string {
  const [a, b] = [randomBytes(4).toString('hex'), randomBytes(6).toString('hex')]
  return `1-${Math.floor(now / 1000).toString(16)}-${a}-${b}`
}
