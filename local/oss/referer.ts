import { matchesGlob } from '../wire/policy.ts'
import { settingOf } from './bucket-settings.ts'
import { OssError } from './errors.ts'
import type { OssRequest } from './request.ts'
import type { Store } from './store.ts'

/**
 * Refuses a request for an object that comes from a page of somebody else, where the bucket has a list of those that may
 * lead there. Only what a page can cause is judged: no signature at all, or one in the URL.
 * https://help.aliyun.com/zh/oss/user-guide/hotlink-protection
 */
export function checkReferer(request: OssRequest, store: Store): void {
  const { bucket, key } = request
  if (bucket === undefined || key === undefined || request.header('authorization') !== undefined) return
  const rules = settingOf(store.findBucket(bucket)?.settings, 'referer')
  if (rules === undefined) return
  const allowed =
    rules
      .all('RefererList')[0]
      ?.all('Referer')
      .map(({ text }) => text.trim()) ?? []
  const refused =
    rules
      .all('RefererBlacklist')[0]
      ?.all('Referer')
      .map(({ text }) => text.trim()) ?? []
  const referer = request.header('referer') ?? ''
  const named = (patterns: readonly string[]) => patterns.some((pattern) => pattern !== '' && matches(pattern, referer))
  if (named(refused)) throw denied()
  // An empty list lets everyone in.
  if (allowed.every((pattern) => pattern === '') || named(allowed)) return
  if (referer === '' && rules.value('AllowEmptyReferer')?.trim() === 'true') return
  throw denied()
}

function denied(): OssError {
  return new OssError('AccessDenied', {}, 'You are denied by bucket referer policy.')
}

/** A name stands for all that lies below it; without a scheme it stands for both. */
function matches(pattern: string, referer: string): boolean {
  const full = /^[a-z]+:\/\//i.test(pattern) ? referer : referer.replace(/^https?:\/\//i, '')
  const lower = full.toLowerCase()
  const wanted = pattern.toLowerCase()
  return matchesGlob(wanted, lower) || matchesGlob(`${wanted.replace(/\/$/, '')}/*`, lower)
}
