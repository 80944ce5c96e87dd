import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { buildCloud } from '../../cloud-process.ts'
import { heldIn } from '../oss/held.ts'
import { crc64Of } from './crc64.ts'
import { type Clients, KilledCloud } from './killed-cloud.ts'
import { type Random, randomOf } from './random.ts'
import { allRows, columnsOf, goOn as goOnWriting, INDEX, makeTable, type Rows, rowsOf, TABLE } from './rows.ts'
import { type Content, goOn as goOnStoring, type Stored, same, settle, uploadsOf } from './uploads.ts'

/** DURABILITY_SEED=17 repeats the run that failed, DURABILITY_SEEDS=50 makes more of them. */
const FIRST = Number(process.env.DURABILITY_SEED ?? 1)
const COUNT = Number(process.env.DURABILITY_SEEDS ?? (process.env.DURABILITY_SEED === undefined ? 3 : 1))
const SEEDS = Array.from({ length: COUNT }, (_, at) => FIRST + at)
const KILLS = 2

beforeAll(buildCloud)

test('the checksum that the others rely on is the published one', () => {
  expect(crc64Of(Buffer.from('123456789'))).toBe(String(0x995dc9bbdf1939fan))
})

const BUSY_MACHINE = { timeout: 180_000 }

test.each(SEEDS)(
  'what was acknowledged is there and whole after kill -9 of everything (seed %i)',
  BUSY_MACHINE,
  async (seed) => {
    const random = randomOf(seed)
    const work = { uploads: uploadsOf(random, 200), rows: rowsOf(random, 2000) }
    const cloud = await KilledCloud.open()
    onTestFinished(() => cloud.close())
    await makeTable(cloud.clients().tables)

    const requests = [...work.uploads.map(({ steps }) => steps), ...work.rows.lanes.map((lane) => lane.requests)]
    const total = requests.reduce((sum, { length }) => sum + length, 0)
    for (let kills = 0; kills < KILLS; kills += 1) {
      await workUntilKilled(work, cloud, random.between(1, Math.floor(total / KILLS) - 20), random)
      await cloud.start()
      await expectBytesOfObjects(cloud)
      await expectObjects(work.uploads, cloud.clients().oss)
      await expectRows(work.rows, cloud.clients().tables)
    }
    await workToTheEnd(work, cloud.clients(), () => {})
    await expectObjects(work.uploads, cloud.clients().oss)
    await expectRows(work.rows, cloud.clients().tables)
  },
)

interface Work {
  readonly uploads: readonly Stored[]
  readonly rows: Rows
}

/** Eight uploads at a time, beside eight clients that write rows. */
async function workToTheEnd({ uploads, rows }: Work, { oss, tables }: Clients, answered: () => void): Promise<void> {
  const waiting = uploads.values()
  const uploader = async () => {
    for (const stored of waiting) await goOnStoring(stored, oss, answered)
  }
  const writers = rows.lanes.map((lane) => goOnWriting(lane, rows, tables, answered))
  await Promise.all([...writers, ...Array.from({ length: 8 }, uploader)])
}

/** Kills a moment after so many answers; clients whose connection broke may never say so. */
async function workUntilKilled(work: Work, cloud: KilledCloud, answers: number, random: Random): Promise<void> {
  let left = answers
  let isDead = false
  const killed = new Promise<void>((resolve, reject) => {
    const answered = () => {
      // An answer that is still under way says nothing that anybody would have heard.
      if (isDead) throw new Error('it was dead by then')
      left -= 1
      if (left === 0) void die()
    }
    const die = async () => {
      if (random.next() < 0.7) await pause(random.between(0, 8))
      isDead = true
      await cloud.kill()
      resolve()
    }
    workToTheEnd(work, cloud.clients(), answered).then(
      () => reject(new Error('everything was done before the kill')),
      (error: unknown) => void (isDead || reject(error)),
    )
  })
  await killed
}

/** Whatever is on the disk belongs to an object or to a part that can be listed. */
async function expectBytesOfObjects(cloud: KilledCloud): Promise<void> {
  const { oss } = cloud.clients()
  const held = await heldIn(join(cloud.dataDir, 'oss'))
  const stored = [...(await listed(oss)), ...(await partsOf(oss))]
  expect(held.filter(({ where }) => where === 'tmp')).toEqual([])
  expect(sumOf(held.map(({ size }) => size))).toBe(sumOf(stored.map(({ size }) => size)))
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0)
}

async function listed(oss: Clients['oss']) {
  const { objects = [] } = await oss.list({ 'max-keys': 1000 }, {})
  return objects ?? []
}

async function partsOf(oss: Clients['oss']) {
  const { uploads = [] } = (await oss.listUploads({ 'max-uploads': 1000 }, {})) as { uploads?: Upload[] }
  const found = uploads.map(async ({ name, uploadId }) => {
    const { parts } = (await oss.listParts(name, uploadId, { 'max-parts': 100 } as never, {})) as unknown as {
      parts: Part[] | Part
    }
    // One is no list to this client.
    return [parts ?? []]
      .flat()
      .map(({ PartNumber, Size }) => ({ key: name, number: Number(PartNumber), size: Number(Size) }))
  })
  return (await Promise.all(found)).flat()
}

interface Upload {
  readonly name: string
  readonly uploadId: string
}
interface Part {
  readonly PartNumber: string
  readonly Size: string
}

/** Reading and listing agree, with what was acknowledged or, of the one request that was not answered, what it asked for. */
async function expectObjects(uploads: readonly Stored[], oss: Clients['oss']): Promise<void> {
  const sizes = new Map((await listed(oss)).map(({ name, size }) => [name, size]))
  const parts = await partsOf(oss)
  for (const stored of uploads) {
    const { key, known, perhaps } = stored
    const found = await read(key, oss)
    expect([same(found, known), same(found, perhaps)], `${key} is what was stored`).toContain(true)
    expect(sizes.get(key), `${key} is listed`).toBe(found?.length)
    const isJoined = found !== undefined && !same(found, known)
    for (const [number, { length }] of isJoined ? [] : stored.parts) {
      expect(parts).toContainEqual({ key, number, size: length })
    }
    settle(stored, found)
  }
  expect([...sizes.keys()].filter((key) => !uploads.some((stored) => stored.key === key))).toEqual([])
}

async function read(key: string, oss: Clients['oss']): Promise<Content> {
  try {
    const { content, res } = await oss.get(key)
    const bytes = Buffer.from(content as Buffer)
    expect((res.headers as Record<string, string>)['x-oss-hash-crc64ecma']).toBe(crc64Of(bytes))
    return bytes
  } catch (error) {
    if ((error as { code?: string }).code === 'NoSuchKey') return undefined
    throw error
  }
}

/** Every row is one version, whole; the index says exactly the same. */
async function expectRows({ states, lanes }: Rows, tables: Clients['tables']): Promise<void> {
  const rows = await allRows(tables, TABLE, ['id'])
  const found = new Map(rows.map((row) => [String(row.id), row]))
  for (const [id, state] of states) {
    const row = found.get(id)
    const version = row && Number(row.version)
    expect([state.known, state.perhaps], `version of ${id}`).toContain(version)
    if (version !== undefined) expect(row).toEqual({ id, ...columnsOf(version) })
    state.known = version
    state.perhaps = version
  }
  expect(rows.filter(({ id }) => !states.has(String(id)))).toEqual([])
  const inIndex = await allRows(tables, INDEX, ['owner', 'id'])
  const order = (one: Record<string, unknown>) => `${one.owner} ${one.id}`
  const expected = rows.map(({ id, owner, version }) => ({ owner, id, version }))
  expect(inIndex.sort((a, b) => (order(a) < order(b) ? -1 : 1))).toEqual(
    expected.sort((a, b) => (order(a) < order(b) ? -1 : 1)),
  )
  expect(lanes.length).toBe(8)
}
