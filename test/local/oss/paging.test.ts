import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readXml, type XmlElement } from '../../../local/wire/xml.ts'
import { generator } from '../generator.ts'
import { BUCKET, type OpenOss, openOss } from './open.ts'
import { type RawAnswer, send, signedV1 } from './raw.ts'

const KEYS = { accessKeyId: 'LTAIaccount', accessKeySecret: 'account-secret' }
/** Of one to four bytes each, and with what means something in XML, in URLs or to a comparison of UTF-16. */
const ALPHABET = ['a', 'b', '/', '/', '\x01', '\n', '\x7f', ' ', '+', '%', '&', 'é', '你', '\uffee', '🎬']
const DELIMITERS = ['', '/', 'a', '//', '🎬', 'é/']

let oss: OpenOss
const random = generator(20_261_122)
const keys = randomKeys(70)
const written: { key: string; versionId: string; marker: boolean }[] = []
const uploads: { key: string; uploadId: string }[] = []

function pick<T>(from: readonly [T, ...T[]] | readonly T[]): T {
  return from[random(from.length)] as T
}

function randomKeys(count: number): string[] {
  const found = new Set<string>()
  while (found.size < count) {
    const key = Array.from({ length: 1 + random(5) }, () => pick(ALPHABET)).join('')
    if (!key.startsWith('/')) found.add(key)
  }
  return [...found]
}

function signed(method: string, key: string, query: Record<string, string>, body?: string): Promise<RawAnswer> {
  const path = `/${BUCKET}/${encodeURIComponent(key)}`
  const pairs = Object.entries(query).map(([name, value]) =>
    value === '' ? name : `${name}=${encodeURIComponent(value)}`,
  )
  const subresources = ['uploads', 'uploadId', 'partNumber', 'versioning', 'versions', 'continuation-token']
  const covered = Object.entries(query).filter(([name]) => subresources.includes(name))
  const resource = covered
    .map(([name, value]) => (value === '' ? name : `${name}=${value}`))
    .sort()
    .join('&')
  const target = pairs.length === 0 ? path : `${path}?${pairs.join('&')}`
  const request = { method, path: target, ...(body === undefined ? {} : { body }) }
  return send(oss.service.port, signedV1(KEYS, request, `/${BUCKET}/${key}${resource && `?${resource}`}`))
}

async function document(root: string, method: string, key: string, query: Record<string, string>, body?: string) {
  const answer = await signed(method, key, query, body)
  expect(answer.status, answer.text).toBe(200)
  return readXml(answer.text, root)
}

const decoded = (element: XmlElement, name: string) => decodeURIComponent(element.value(name) ?? '')
const inBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b))

/** What a whole list has, by a rule that shares nothing with the one under test: rows and groups in their order. */
function expected(names: readonly string[], prefix: string, delimiter: string): string[] {
  const entries = names.flatMap((name) => {
    if (!name.startsWith(prefix)) return []
    const [first = '', ...rest] = delimiter === '' ? [name] : name.slice(prefix.length).split(delimiter)
    return [rest.length === 0 ? `row ${name}` : `group ${prefix}${first}${delimiter}`]
  })
  return entries.filter((entry, at) => entry.startsWith('row ') || entries.indexOf(entry) === at)
}

interface Query {
  readonly prefix: string
  readonly delimiter: string
  readonly max: number
}

const QUERIES: readonly Query[] = Array.from({ length: 20 }, () => {
  const points = [...pick(keys)]
  const prefix = random(2) === 0 ? '' : points.slice(0, random(points.length + 1)).join('')
  return { prefix, delimiter: pick(DELIMITERS), max: 1 + random(12) }
})

/** Reads page after page; `next` tells the parameters of the following one. */
async function walk(
  { prefix, delimiter, max }: Query,
  root: string,
  first: Record<string, string>,
  sizes: { readonly max: string; readonly rows: readonly string[] },
  nameOf: (row: XmlElement) => string,
  next: (page: XmlElement) => Record<string, string>,
): Promise<string[]> {
  const seen: string[] = []
  let query = { ...first, prefix, delimiter, [sizes.max]: String(max), 'encoding-type': 'url' }
  for (let pages = 0; pages < 400; pages++) {
    const page = await document(root, 'GET', '', query)
    const rows = page.children.filter(({ name }) => sizes.rows.includes(name))
    const groups = page.all('CommonPrefixes').map((one) => decoded(one, 'Prefix'))
    expect(rows.length + groups.length).toBeLessThanOrEqual(max)
    seen.push(...rows.map((row) => `row ${nameOf(row)}`), ...groups.map((group) => `group ${group}`))
    if (page.value('IsTruncated') !== 'true') return seen
    expect(rows.length + groups.length).toBe(max)
    query = { ...query, ...next(page) }
  }
  throw new Error('the pages have no end')
}

beforeAll(async () => {
  oss = await openOss()
  for (const key of keys) {
    expect((await signed('PUT', key, {}, key)).status).toBe(200)
    written.push({ key, versionId: 'null', marker: false })
  }
  for (let n = 0; n < 30; n++) {
    const key = pick(keys)
    const begun = await document('InitiateMultipartUploadResult', 'POST', key, { uploads: '' }, '')
    uploads.push({ key, uploadId: begun.value('UploadId') ?? '' })
  }
})
afterAll(() => oss.close())

describe('pages of any size have everything once', () => {
  test.each(QUERIES)('ListObjects and ListObjectsV2: %j', async (query) => {
    const whole = expected([...keys].sort(inBytes), query.prefix, query.delimiter)
    const sizes = { max: 'max-keys', rows: ['Contents'] }
    const nameOf = (row: XmlElement) => decoded(row, 'Key')
    const first = await walk(query, 'ListBucketResult', {}, sizes, nameOf, (page) => ({
      marker: decoded(page, 'NextMarker'),
    }))
    expect(first.sort()).toEqual([...whole].sort())
    const second = await walk(query, 'ListBucketResult', { 'list-type': '2' }, sizes, nameOf, (page) => ({
      'continuation-token': page.value('NextContinuationToken') ?? '',
    }))
    expect(second.sort()).toEqual([...whole].sort())
  })

  test.each(QUERIES)('ListMultipartUploads: %j', async (query) => {
    const names = [...uploads].sort((a, b) => inBytes(a.key, b.key)).map(({ key, uploadId }) => ({ key, uploadId }))
    const whole = expected([...new Set(names.map(({ key }) => key))], query.prefix, query.delimiter).flatMap((entry) =>
      entry.startsWith('group ')
        ? [entry]
        : names.filter(({ key }) => entry === `row ${key}`).map(({ key, uploadId }) => `row ${key} ${uploadId}`),
    )
    const sizes = { max: 'max-uploads', rows: ['Upload'] }
    const nameOf = (row: XmlElement) => `${decoded(row, 'Key')} ${row.value('UploadId')}`
    const seen = await walk(query, 'ListMultipartUploadsResult', { uploads: '' }, sizes, nameOf, (page) => ({
      'key-marker': decoded(page, 'NextKeyMarker'),
      'upload-id-marker': page.value('NextUploadIdMarker') ?? '',
    }))
    expect(seen.sort()).toEqual(whole.sort())
  })

  test('ListObjectVersions, of keys with versions and delete markers from before, during and after versioning', async () => {
    const current = new Map(keys.map((key) => [key, true]))
    for (const status of ['Enabled', 'Suspended', 'Enabled']) {
      const body = `<VersioningConfiguration><Status>${status}</Status></VersioningConfiguration>`
      expect((await signed('PUT', '', { versioning: '' }, body)).status).toBe(200)
      for (let n = 0; n < 60; n++) {
        const key = pick(keys)
        const marker = random(3) === 0
        const answer = await signed(marker ? 'DELETE' : 'PUT', key, {}, marker ? undefined : 'new')
        const versionId = String(answer.headers['x-oss-version-id'])
        const replaced = written.findIndex((one) => one.key === key && one.versionId === versionId)
        if (replaced >= 0) written.splice(replaced, 1)
        written.push({ key, versionId, marker })
        current.set(key, !marker)
      }
    }
    for (const query of QUERIES) {
      const whole = expected([...new Set(written.map(({ key }) => key))], query.prefix, query.delimiter).flatMap(
        (entry) =>
          entry.startsWith('group ')
            ? [entry]
            : written
                .filter(({ key }) => entry === `row ${key}`)
                .map((one) => `row ${one.key} ${one.versionId} ${one.marker}`),
      )
      const sizes = { max: 'max-keys', rows: ['Version', 'DeleteMarker'] }
      const nameOf = (row: XmlElement) =>
        `${decoded(row, 'Key')} ${row.value('VersionId')} ${row.name === 'DeleteMarker'}`
      const seen = await walk(query, 'ListVersionsResult', { versions: '' }, sizes, nameOf, (page) => ({
        'key-marker': decoded(page, 'NextKeyMarker'),
        'version-id-marker': page.value('NextVersionIdMarker') ?? '',
      }))
      expect(seen.sort(), JSON.stringify(query)).toEqual(whole.sort())
      const plain = await walk(
        query,
        'ListBucketResult',
        {},
        { max: 'max-keys', rows: ['Contents'] },
        (row) => decoded(row, 'Key'),
        (page) => ({
          marker: decoded(page, 'NextMarker'),
        }),
      )
      const live = keys.filter((key) => current.get(key)).sort(inBytes)
      expect(plain.sort()).toEqual(expected(live, query.prefix, query.delimiter).sort())
    }
  })

  test.each([1, 2, 3, 7])('ListParts, %i at a time', async (max) => {
    const { key = '', uploadId = '' } = uploads[0] ?? {}
    const numbers = [1, 2, 9, 10, 99, 100, 9999, 10_000]
    for (const number of numbers) await signed('PUT', key, { partNumber: String(number), uploadId }, 'x')
    const seen: number[] = []
    for (let marker = '0', more = true; more; ) {
      const query = { uploadId, 'max-parts': String(max), 'part-number-marker': marker }
      const page = await document('ListPartsResult', 'GET', key, query)
      seen.push(...page.all('Part').map((part) => Number(part.value('PartNumber'))))
      marker = page.value('NextPartNumberMarker') ?? ''
      more = page.value('IsTruncated') === 'true'
    }
    expect(seen).toEqual(numbers)
  })
})
