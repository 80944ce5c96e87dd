import { createHash } from 'node:crypto'
import type { Plan } from '../../shared/plan.ts'

/** Gives a plan its name: a hash of the source's etag and of everything that was decided, whatever the order of keys. */
export function identify(plan: Omit<Plan, 'planId'>, etag: string): Plan {
  const { reason: _, ...decided } = plan
  const text = canonical({ etag: etag.replaceAll('"', ''), ...decided })
  return { planId: createHash('sha256').update(text).digest('hex').slice(0, 12), ...plan }
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([key, one]) => `${JSON.stringify(key)}:${canonical(one)}`).join(',')}}`
}
