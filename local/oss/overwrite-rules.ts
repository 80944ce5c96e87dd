import { isNamed } from './bucket-policy.ts'
import { settingOf } from './bucket-settings.ts'
import type { Context } from './context.ts'
import type { ObjectName } from './tables.ts'

/**
 * Whether a rule of the bucket keeps the caller from replacing this object: all that the rule names must fit.
 * https://www.alibabacloud.com/help/en/oss/developer-reference/putbucketoverwriteconfig
 */
export function isProtected({ store, caller }: Context, { bucket, key }: ObjectName): boolean {
  const rules = settingOf(store.findBucket(bucket)?.settings, 'overwriteConfig')?.all('Rule') ?? []
  return rules.some((rule) => {
    const principals = rule.all('Principals').flatMap((list) => list.all('Principal'))
    return (
      key.startsWith(rule.value('Prefix') ?? '') &&
      key.endsWith(rule.value('Suffix') ?? '') &&
      (principals.length === 0 || principals.some(({ text }) => isNamed(text.trim(), caller)))
    )
  })
}
