import { randomBytes } from 'node:crypto'
import { writeXml } from '../wire/xml.ts'
import { readXmlBody } from './bodies.ts'
import { bucketOf } from './bucket-operations.ts'
import { type Context, type Operation, xmlReply } from './context.ts'
import { OssError } from './errors.ts'
import { xmlDate } from './metadata.ts'
import type { WormRecord } from './records.ts'

/*
 * Retention of a whole bucket: begun, then locked within a day or gone, then only prolonged.
 * https://help.aliyun.com/zh/oss/developer-reference/initiatebucketworm
 */

const DAY_MS = 86_400_000
const MAX_DAYS = 25_550

export const initiateBucketWorm: Operation = {
  action: 'oss:InitiateBucketWorm',
  async run(context) {
    const days = await readDays(context, 'InitiateWormConfiguration')
    const { versioning } = context.store.bucket(bucketOf(context))
    if (versioning !== undefined) throw new OssError('InvalidWORMConfiguration', {}, 'The bucket keeps versions.')
    if (wormOf(context)?.state === 'Locked') throw new OssError('WORMConfigurationLocked')
    const id = randomBytes(16).toString('hex').toUpperCase()
    const worm: WormRecord = { id, state: 'InProgress', days, createdAt: context.now() }
    await context.store.changeBucket(bucketOf(context), { worm })
    return { status: 200, headers: [['x-oss-worm-id', id]] }
  },
}

export const abortBucketWorm: Operation = {
  action: 'oss:AbortBucketWorm',
  async run(context) {
    if (existingWorm(context).state === 'Locked') throw new OssError('WORMConfigurationLocked')
    await context.store.changeBucket(bucketOf(context), { worm: undefined })
    return { status: 204 }
  },
}

export const completeBucketWorm: Operation = {
  action: 'oss:CompleteBucketWorm',
  async run(context) {
    const worm = namedWorm(context)
    await context.store.changeBucket(bucketOf(context), { worm: { ...worm, state: 'Locked' } })
    return { status: 200 }
  },
}

export const extendBucketWorm: Operation = {
  action: 'oss:ExtendBucketWorm',
  async run(context) {
    const days = await readDays(context, 'ExtendWormConfiguration')
    const worm = namedWorm(context)
    if (worm.state !== 'Locked' || days < worm.days) throw new OssError('InvalidWORMConfiguration')
    await context.store.changeBucket(bucketOf(context), { worm: { ...worm, days } })
    return { status: 200 }
  },
}

export const getBucketWorm: Operation = {
  action: 'oss:GetBucketWorm',
  run(context) {
    const { id, state, days, createdAt } = existingWorm(context)
    return xmlReply(
      writeXml('WormConfiguration', {
        WormId: id,
        State: state,
        RetentionPeriodInDays: days,
        CreationDate: xmlDate(createdAt),
        ExpirationDate: xmlDate(createdAt + DAY_MS),
      }),
    )
  },
}

async function readDays(context: Context, root: string): Promise<number> {
  const text = (await readXmlBody(context.request, root)).value('RetentionPeriodInDays')?.trim() ?? ''
  if (!/^[1-9]\d{0,4}$/.test(text) || Number(text) > MAX_DAYS) throw new OssError('MalformedXML')
  return Number(text)
}

/** One that was begun and not locked within a day is gone. */
function wormOf(context: Context): WormRecord | undefined {
  const { worm } = context.store.bucket(bucketOf(context))
  return worm?.state === 'InProgress' && context.now() > worm.createdAt + DAY_MS ? undefined : worm
}

function existingWorm(context: Context): WormRecord {
  const worm = wormOf(context)
  if (worm === undefined) throw new OssError('NoSuchWORMConfiguration', { BucketName: bucketOf(context) })
  return worm
}

function namedWorm(context: Context): WormRecord {
  const worm = existingWorm(context)
  if (worm.id !== context.request.param('wormId')) throw new OssError('NoSuchWORMConfiguration')
  return worm
}
