import type { XmlElement } from '../wire/xml.ts'
import { readOptionalXmlBody } from './bodies.ts'
import type { Operation } from './context.ts'
import { OssError } from './errors.ts'
import { existingObject, objectOf, versionHeaders, versionOf } from './object-operations.ts'
import type { ObjectRecord, Restoration } from './records.ts'
import { isArchived, restorationState } from './restoration.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/**
 * How long it takes, by class and tier, and how many days it lasts at most.
 * https://help.aliyun.com/zh/oss/user-guide/restore-objects
 */
const ARCHIVES: Readonly<Record<string, { readonly tiers: Readonly<Record<string, number>>; readonly days: number }>> =
  {
    Archive: { tiers: { Standard: MINUTE_MS }, days: 7 },
    ColdArchive: { tiers: { Expedited: HOUR_MS, Standard: 5 * HOUR_MS, Bulk: 12 * HOUR_MS }, days: 365 },
    DeepColdArchive: { tiers: { Expedited: 12 * HOUR_MS, Standard: 48 * HOUR_MS }, days: 365 },
  }

export const restoreObject: Operation = {
  action: 'oss:RestoreObject',
  async run(context) {
    const name = objectOf(context)
    const versionId = versionOf(context)
    const document = await readOptionalXmlBody(context.request, 'RestoreRequest')
    existingObject(context, name, versionId)
    let status = 202
    const record = await context.store.changeObject(name, versionId, (old) => {
      const state = restorationState(old, context.now())
      if (state === 'ongoing-request="true"') throw new OssError('RestoreAlreadyInProgress')
      status = state === undefined ? 202 : 200
      return { restoration: restoration(old, document, context.now()) }
    })
    return { status, headers: versionHeaders(context, name, record) }
  },
}

/**
 * Ends the time in which a restored object can be read.
 * https://www.alibabacloud.com/help/en/oss/developer-reference/cleanrestoredobject
 */
export const cleanRestoredObject: Operation = {
  action: 'oss:CleanRestoredObject',
  async run(context) {
    const name = objectOf(context)
    const versionId = versionOf(context)
    existingObject(context, name, versionId)
    const record = await context.store.changeObject(name, versionId, (old) => {
      if (!isArchived(old)) throw new OssError('OperationNotSupported')
      const state = restorationState(old, context.now())
      if (old.restoration === undefined || state === undefined) throw new OssError('ArchiveRestoreFileStale')
      if (state === 'ongoing-request="true"') throw new OssError('ArchiveRestoreNotFinished')
      return { restoration: { ...old.restoration, expiresAt: context.now() } }
    })
    return { status: 200, headers: versionHeaders(context, name, record) }
  },
}

/** An object that is readable stays so; only the end of that is moved. */
function restoration(old: ObjectRecord, document: XmlElement | undefined, now: number): Restoration {
  const rules = ARCHIVES[old.storageClass]
  if (!isArchived(old) || rules === undefined) throw new OssError('OperationNotSupported')
  const days = document?.value('Days')?.trim() ?? '1'
  if (!/^[1-9]\d{0,3}$/.test(days) || Number(days) > rules.days) throw new OssError('MalformedXML')
  const tier = document?.all('JobParameters')[0]?.value('Tier')?.trim() ?? 'Standard'
  const takes = rules.tiers[tier]
  if (takes === undefined) throw new OssError('MalformedXML')
  const readyAt = restorationState(old, now) === undefined ? now + takes : (old.restoration?.readyAt ?? now)
  return { readyAt, expiresAt: Math.max(readyAt, now) + Number(days) * DAY_MS }
}
