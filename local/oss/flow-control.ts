import { writeXml, type XmlElement } from '../wire/xml.ts'
import { type Operation, xmlReply } from './context.ts'
import { invalidArgument } from './errors.ts'

/*
 * Limits of transfer and requests: kept and told, not kept to.
 * https://help.aliyun.com/zh/oss/developer-reference/putbucketqosinfo
 */

/** What the account has, in Gbit/s and requests a second; a bucket cannot be given more. */
const ACCOUNT_LIMITS = { UploadBandwidth: 10, DownloadBandwidth: 10, Qps: 10_000 } as const

const PARTS = ['Intranet', 'Extranet'] as const

/** https://help.aliyun.com/zh/oss/developer-reference/getuserqosinfo */
export const getUserQosInfo: Operation = {
  action: 'oss:GetUserQosInfo',
  run({ region }) {
    const limits = Object.entries(ACCOUNT_LIMITS).flatMap(([what, limit]) => [
      [`Total${what}`, limit],
      ...PARTS.map((part) => [`${part}${what}`, -1]),
    ])
    return xmlReply(writeXml('QoSConfiguration', { Region: `oss-${region}`, ...Object.fromEntries(limits) }))
  },
}

/** Every limit that a bucket has, with what one that is missing means. */
export function limitsOf(document: XmlElement): readonly { readonly name: string; readonly text: string }[] {
  return Object.keys(ACCOUNT_LIMITS).flatMap((what) =>
    ['Total', ...PARTS].map((part) => ({
      name: `${part}${what}`,
      text: document.value(`${part}${what}`)?.trim() || '-1',
    })),
  )
}

/** Refuses what is above the account's limits, and a part above the total. */
export function checkLimits(document: XmlElement): void {
  const values = new Map(limitsOf(document).map(({ name, text }) => [name, readLimit(name, text)]))
  for (const [what, most] of Object.entries(ACCOUNT_LIMITS)) {
    const total = values.get(`Total${what}`) ?? -1
    checkAtMost(`Total${what}`, total, most)
    for (const part of PARTS)
      checkAtMost(`${part}${what}`, values.get(`${part}${what}`) ?? -1, total < 0 ? most : total)
  }
}

function readLimit(name: string, text: string): number {
  if (/^(?:-1|\d{1,9})$/.test(text)) return Number(text)
  throw invalidArgument(name, text.slice(0, 64), `${name} must be -1 or a number.`)
}

function checkAtMost(name: string, value: number, most: number): void {
  if (value > most) throw invalidArgument(name, String(value), `${name} can be ${most} at most.`)
}
