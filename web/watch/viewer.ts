import { recall, remember } from '../memory.ts'
import { randomId } from '../random.ts'

/** Stands for this browser while nobody is signed in. */
export function viewerId(): string {
  const known = recall('viewer')
  if (known !== null && /^[0-9a-f]{32}$/.test(known)) return known
  const fresh = randomId()
  remember('viewer', fresh)
  return fresh
}
