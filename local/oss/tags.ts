import { writeXml, type XmlElement } from '../wire/xml.ts'
import { OssError } from './errors.ts'
import type { Tags } from './records.ts'

/** How many tags there may be and how long, by what carries them. */
export interface TagLimits {
  readonly count: number
  readonly keyBytes: number
  readonly valueBytes: number
  /** Absent where every character will do. */
  readonly characters?: RegExp
}

/** What tags of objects are made of. */
export const TAG_CHARACTERS = /^[\p{L}\p{N} +\-=._:/]*$/u

/** Of an object. https://help.aliyun.com/zh/oss/user-guide/object-tagging-8 */
export const OBJECT_TAGS: TagLimits = { count: 10, keyBytes: 128, valueBytes: 256, characters: TAG_CHARACTERS }

/** Of a bucket. https://help.aliyun.com/zh/oss/developer-reference/putbuckettags */
export const BUCKET_TAGS: TagLimits = { count: 20, keyBytes: 64, valueBytes: 128 }

/** The tags in `x-oss-tagging` (`a=1&b=2`), as a form is encoded. */
export function parseTags(text: string): Tags {
  const pairs = text.split('&').filter((pair) => pair !== '')
  return checkTags(
    pairs.map((pair) => {
      const [key = '', value = '', ...rest] = pair.split('=')
      if (rest.length > 0) throw new OssError('InvalidTag')
      return [decode(key), decode(value)] as const
    }),
    OBJECT_TAGS,
  )
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw new OssError('InvalidTag')
  }
}

/** The tags of a Tagging document. */
export function readTags(document: XmlElement, limits: TagLimits): Tags {
  const set = document.all('TagSet')[0]
  if (set === undefined) throw new OssError('MalformedXML')
  const tags = set.all('Tag').map((tag) => {
    const key = tag.value('Key')
    if (key === undefined) throw new OssError('MalformedXML')
    return [key, tag.value('Value') ?? ''] as const
  })
  return checkTags(tags, limits)
}

function checkTags(tags: Tags, limits: TagLimits): Tags {
  const keys = new Set(tags.map(([key]) => key))
  if (tags.length > limits.count || keys.size < tags.length) throw new OssError('InvalidTag')
  const allowed = (text: string) => limits.characters?.test(text) ?? true
  const fits = ([key, value]: readonly [string, string]) =>
    key !== '' &&
    Buffer.byteLength(key) <= limits.keyBytes &&
    Buffer.byteLength(value) <= limits.valueBytes &&
    allowed(key) &&
    allowed(value)
  if (!tags.every(fits)) throw new OssError('InvalidTag')
  return tags
}

/** The document that tells tags. */
export function writeTags(tags: Tags): string {
  return writeXml('Tagging', { TagSet: { Tag: tags.map(([Key, Value]) => ({ Key, Value })) } })
}
