import { readXml, writeXml } from '../wire/xml.ts'
import { readXmlBody } from './bodies.ts'
import { bucketOf, owner } from './bucket-operations.ts'
import { changeSetting } from './bucket-settings.ts'
import { type Context, type Operation, xmlReply } from './context.ts'
import { invalidArgument, OssError } from './errors.ts'
import { xmlDate } from './metadata.ts'
import type { Store } from './store.ts'

/*
 * Domains of one's own that stand for a bucket. Whether they belong to the caller is not looked into here.
 * https://help.aliyun.com/zh/oss/developer-reference/putcname
 */

const PREFIX = 'cname/'

/** The bucket that a domain stands for. */
export function bucketOfDomain(store: Store, domain: string): string | undefined {
  // Nearly every request comes to a name that no bucket can have.
  if (!domain.includes('.') || /^[\d.]+$/.test(domain)) return undefined
  return store.buckets().find(({ record }) => record.settings?.[`${PREFIX}${domain}`] !== undefined)?.name
}

export const putCname: Operation = {
  action: 'oss:PutCname',
  async run(context) {
    const domain = await readDomain(context)
    const bound = bucketOfDomain(context.store, domain)
    if (bound !== undefined && bound !== bucketOf(context)) throw new OssError('CnameAlreadyExists', { Domain: domain })
    const fields = { Domain: domain, LastModified: xmlDate(context.now()), Status: 'Enabled' }
    await changeSetting(context, `${PREFIX}${domain}`, writeXml('Cname', fields))
    return { status: 200 }
  },
}

export const deleteCname: Operation = {
  action: 'oss:DeleteCname',
  async run(context) {
    const domain = await readDomain(context)
    if (bucketOfDomain(context.store, domain) !== bucketOf(context))
      throw new OssError('NoSuchCname', { Domain: domain })
    await changeSetting(context, `${PREFIX}${domain}`, undefined)
    return { status: 200 }
  },
}

export const listCname: Operation = {
  action: 'oss:ListCname',
  run(context) {
    const { settings } = context.store.bucket(bucketOf(context))
    const bound = Object.entries(settings ?? {}).filter(([name]) => name.startsWith(PREFIX))
    const Cname = bound.map(([, text]) =>
      Object.fromEntries(readXml(text, 'Cname').children.map((child) => [child.name, child.text])),
    )
    return xmlReply(writeXml('ListCnameResult', { Bucket: bucketOf(context), Owner: owner(context).ID, Cname }))
  },
}

async function readDomain(context: Context): Promise<string> {
  context.store.bucket(bucketOf(context))
  const document = await readXmlBody(context.request, 'BucketCnameConfiguration')
  const domain = document.all('Cname')[0]?.value('Domain')?.trim().toLowerCase() ?? ''
  if (/^(?:[a-z0-9-]{1,63}\.)+[a-z]{2,63}$/.test(domain) && !domain.endsWith('.aliyuncs.com')) return domain
  throw invalidArgument('Domain', domain.slice(0, 64), 'The domain is invalid.')
}
