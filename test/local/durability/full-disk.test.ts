import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import OSS from 'ali-oss'
import TableStore from 'tablestore'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { roomIn } from '../../../local/data/room.ts'
import type { Cloud } from '../../../local/index.ts'
import { buildCloud, CloudProcess, newDataDir } from '../../cloud-process.ts'
import { clientOf, create, invoke } from '../fc/api.ts'
import { fc3Sdk } from '../fc/sdk.ts'
import { mnsClient } from '../mns/open.ts'

beforeAll(buildCloud)

const run = promisify(execFile)

/** Every service comes to its end sooner or later. */
const DISK = '6m'
const UNTIL_FULL = 2000
const NAME = 'kept'

type PrimaryKey = Parameters<TableStore.Client['getRange']>[0]['inclusiveStartPrimaryKey']

/** One service that is written to until it refuses. */
interface Writer {
  prepare(): Promise<unknown>
  write(nth: number): Promise<unknown>
  /** Which of the writes are there. */
  present(): Promise<ReadonlySet<number>>
}

const numbered = (nth: number) => `${nth}:`.padEnd(12_000, 'x')
const numberOf = (text: string) => Number(text.split(':')[0])

const WRITERS: Readonly<Record<string, (cloud: Cloud) => Writer>> = {
  'small objects of OSS'({ oss, accessKeyId, accessKeySecret }) {
    const place = { endpoint: oss.endpoint, bucket: oss.bucket, region: 'oss-cn-hangzhou', sldEnable: true }
    const client = new OSS({ ...place, accessKeyId, accessKeySecret, retryMax: 0 } as OSS.Options)
    return {
      prepare: async () => {},
      write: (nth) => client.put(`${nth}`, Buffer.from(numbered(nth))),
      async present() {
        const { objects = [] } = await client.list({ 'max-keys': 1000 }, {})
        const texts = objects.map(async ({ name }) => ((await client.get(name)).content as Buffer).toString())
        return new Set((await Promise.all(texts)).map(numberOf))
      },
    }
  },

  'rows of Tablestore'({ tablestore, accessKeyId, accessKeySecret }) {
    const { endpoint, instance } = tablestore
    const client = new TableStore.Client({
      ...{ accessKeyId, accessKeySecret, endpoint, instancename: instance },
      maxRetries: 0,
    })
    const ignore = new TableStore.Condition(TableStore.RowExistenceExpectation.IGNORE, null)
    return {
      prepare: () =>
        client.createTable({
          tableMeta: { tableName: NAME, primaryKey: [{ name: 'id', type: TableStore.PrimaryKeyType.STRING }] },
          reservedThroughput: { capacityUnit: { read: 0, write: 0 } },
          tableOptions: { timeToLive: -1, maxVersions: 1 },
        }),
      write: (nth) =>
        client.putRow({
          tableName: NAME,
          condition: ignore,
          primaryKey: [{ id: `${nth}` }],
          attributeColumns: [{ text: numbered(nth) }],
        }),
      async present() {
        const found = new Set<number>()
        for (let start: PrimaryKey | null = [{ id: TableStore.INF_MIN }]; start !== null; ) {
          const page = await client.getRange({
            tableName: NAME,
            direction: TableStore.Direction.FORWARD,
            inclusiveStartPrimaryKey: start,
            exclusiveEndPrimaryKey: [{ id: TableStore.INF_MAX }],
            maxVersions: 1,
          })
          for (const row of page.rows) found.add(numberOf(String(row.attributes?.[0]?.columnValue)))
          const next = page.nextStartPrimaryKey as { name: string; value: string }[] | null
          start = next?.map(({ name, value }) => ({ [name]: value })) ?? null
        }
        return found
      },
    }
  },

  'messages of MNS'({ mns, accessKeyId, accessKeySecret }) {
    const client = mnsClient(mns.endpoint, { accessKeyId, accessKeySecret })
    return {
      prepare: () => client.createQueue(NAME, { VisibilityTimeout: 3600 }),
      write: (nth) => client.sendMessage(NAME, { MessageBody: numbered(nth) }),
      async present() {
        const found = new Set<number>()
        for (;;) {
          const page = await client.batchReceiveMessage(NAME, 16).catch(() => undefined)
          if (!page?.body) return found
          for (const message of page.body) found.add(numberOf(message.MessageBody ?? ''))
        }
      },
    }
  },

  'tasks of Function Compute'({ fc, accessKeyId, accessKeySecret }) {
    const port = Number(new URL(`http://${fc.endpoint}`).port)
    const client = clientOf({ port }, { accessKeyId, accessKeySecret })
    const listed = (nextToken?: string) =>
      client.listAsyncTasks(NAME, new fc3Sdk.ListAsyncTasksRequest({ limit: 100, ...(nextToken ? { nextToken } : {}) }))
    return {
      prepare: () => create(client, NAME),
      write: (nth) => invoke(client, NAME, { async: true, taskId: `task-${nth}`, event: numbered(nth) }),
      async present() {
        const found = new Set<number>()
        for (let token: string | undefined; ; ) {
          const { body } = await listed(token)
          for (const task of body?.tasks ?? []) found.add(Number(task.taskId?.replace('task-', '')))
          token = body?.nextToken
          if (!token) return found
        }
      },
    }
  },
}

/** Whether this process may mount, as root may on most machines; no test below can do without. */
async function mayMount(): Promise<boolean> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
  const folder = await newDataDir('full-disk')
  try {
    await run('mount', ['-t', 'tmpfs', 'tmpfs', folder])
    await run('umount', [folder])
    return true
  } catch {
    return false
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** A folder on a small disk of its own. */
async function smallDisk() {
  const folder = await newDataDir('full-disk')
  await run('mount', ['-t', 'tmpfs', '-o', `size=${DISK}`, 'tmpfs', folder])
  onTestFinished(async () => {
    // A process of a function may still be on its way out.
    await run('umount', ['--lazy', folder])
    await rm(folder, { recursive: true, force: true })
  })
  return { folder, enlarge: () => run('mount', ['-o', 'remount,size=64m', folder]) }
}

test('a disk has room unless nothing but the reserve is left', () => {
  expect(() => roomIn(tmpdir()).require()).not.toThrow()
  // File systems of the kernel hold nothing.
  const none = process.platform === 'linux' ? '/proc' : '/dev'
  expect(() => roomIn(none).require()).toThrow(/^no space left on the disk of/)
})

const DISKS = (await mayMount()) ? [smallDisk] : []
if (DISKS.length === 0) process.stderr.write('Full disks are left out: they take the right to mount one.\n')

test.each(DISKS.flatMap((open) => Object.entries(WRITERS).map((writer) => [...writer, open] as const)))(
  'with %s, a full disk ends nothing: what was acknowledged stays, and more is taken when there is room',
  { timeout: 120_000 },
  async (_, open, newDisk) => {
    const disk = await newDisk()
    const cloud = new CloudProcess('cloud', join(disk.folder, 'data'))
    onTestFinished(() => cloud.close())
    const writer = open(await cloud.start())
    await writer.prepare()
    const written = new Set<number>()
    let refusals = 0
    for (let nth = 1; nth < UNTIL_FULL && refusals < 20; nth += 1) {
      await writer.write(nth).then(
        () => written.add(nth),
        () => {
          refusals += 1
        },
      )
    }
    expect(refusals).toBe(20)
    expect(written.size).toBeGreaterThan(50)
    expect(cloud.isGone()).toBe(false)

    await disk.enlarge()
    await writer.write(3000)
    await cloud.stop()
    const again = open(await cloud.start())
    expect(await again.present()).toEqual(new Set([...written, 3000]))
  },
)

test.each(DISKS)('on a full disk, removing makes room', async (newDisk) => {
  const disk = await newDisk()
  const cloud = new CloudProcess('cloud', join(disk.folder, 'data'))
  onTestFinished(() => cloud.close())
  const { oss, accessKeyId, accessKeySecret } = await cloud.start()
  const place = { endpoint: oss.endpoint, bucket: oss.bucket, region: 'oss-cn-hangzhou', sldEnable: true }
  const client = new OSS({ ...place, accessKeyId, accessKeySecret, retryMax: 0 } as OSS.Options)
  const large = Buffer.alloc(200_000, 'x')
  const fill = async (from: number): Promise<number> => {
    for (let nth = from; ; nth += 1) {
      const refused = await client.put(`${nth}`, large).catch((error: { status?: number }) => error)
      if ('status' in refused) return nth - 1
    }
  }
  const last = await fill(1)
  expect(last).toBeGreaterThan(5)
  for (let nth = 1; nth <= 5; nth += 1) await client.delete(`${nth}`)
  await expect
    .poll(() =>
      client.put('again', large).then(
        () => 'stored',
        () => 'refused',
      ),
    )
    .toBe('stored')
  expect((await client.get('again')).content.equals(large)).toBe(true)
})
