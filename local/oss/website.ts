import type { XmlElement } from '../wire/xml.ts'
import { settingOf } from './bucket-settings.ts'
import type { Context, Operation, Reply } from './context.ts'
import { OssError } from './errors.ts'
import { readObject } from './read-object.ts'
import type { ObjectName } from './tables.ts'

/*
 * Pages of a bucket that is a website: the index of a folder, and a page for what is not there.
 * https://help.aliyun.com/zh/oss/user-guide/hosting-static-websites
 */

/** Reads an object, or the index of the folder that its name stands for. */
export function servingWebsite(getObject: Operation): Operation {
  return {
    ...getObject,
    async run(context) {
      const { bucket, key } = context.request
      try {
        return await getObject.run(context)
      } catch (error) {
        const website = settingOf(
          bucket === undefined ? undefined : context.store.findBucket(bucket)?.settings,
          'website',
        )
        const missing = error instanceof OssError && error.code === 'NoSuchKey'
        if (!missing || website === undefined || bucket === undefined || key === undefined) throw error
        return (
          (await indexOf(context, website, { bucket, key })) ??
          (await errorPage(context, website, bucket)) ??
          rethrow(error)
        )
      }
    },
  }
}

/** Lists a bucket; whoever comes unsigned to its root is given its index instead. */
export function servingRoot(listObjects: Operation): Operation {
  return {
    async run(context) {
      const { bucket, query } = context.request
      const website = settingOf(
        bucket === undefined ? undefined : context.store.findBucket(bucket)?.settings,
        'website',
      )
      if (context.caller === undefined && query.length === 0 && bucket !== undefined && website !== undefined) {
        const page = await indexOf(context, website, { bucket, key: '' })
        if (page) return page
      }
      if (listObjects.action) context.authorize(listObjects.action, { bucket })
      return await listObjects.run(context)
    },
  }
}

function rethrow(error: OssError): never {
  throw error
}

async function indexOf(context: Context, website: XmlElement, { bucket, key }: ObjectName): Promise<Reply | undefined> {
  const index = website.all('IndexDocument')[0]
  const suffix = index?.value('Suffix')?.trim()
  if (!suffix || (key !== '' && !key.endsWith('/'))) return undefined
  const ofFolder = index?.value('SupportSubDir')?.trim() === 'true'
  return await page(context, { bucket, key: ofFolder ? `${key}${suffix}` : suffix })
}

/** Only for browsers: a program that signs its requests wants to know that there is nothing. */
async function errorPage(context: Context, website: XmlElement, bucket: string): Promise<Reply | undefined> {
  const key = website.all('ErrorDocument')[0]?.value('Key')?.trim()
  if (!key || context.caller !== undefined) return undefined
  const found = await page(context, { bucket, key })
  return found && { ...found, status: 404 }
}

async function page(context: Context, name: ObjectName): Promise<Reply | undefined> {
  if (context.store.findObject(name) === undefined) return undefined
  context.authorize('oss:GetObject', name)
  return await readObject(context, name)
}
