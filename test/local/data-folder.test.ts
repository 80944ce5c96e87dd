import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, open, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { checkVersion, writeVersion } from '../../local/data/version.ts'
import { startLocal } from '../../local/index.ts'

const bare = { buckets: ['bucket'], instance: 'instance' }

async function newFolder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'data-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return dir
}

async function start(dataDir: string) {
  const local = await startLocal({ port: 0, dataDir, bare, env: { PATH: process.env.PATH } })
  onTestFinished(() => local.close())
  return local
}

/** A folder that a local cloud has used and left in order. */
async function usedFolder(): Promise<string> {
  const dataDir = await newFolder()
  const local = await start(dataDir)
  await local.close()
  return dataDir
}

test('the first start notes the format of the folder, and a folder from before there were formats opens', async () => {
  const dataDir = await usedFolder()
  expect(await readFile(join(dataDir, 'version'), 'utf8')).toBe('2\n')
  await rm(join(dataDir, 'version'))
  await (await start(dataDir)).close()
  expect(await readFile(join(dataDir, 'version'), 'utf8')).toBe('2\n')
})

test.each([
  ['a newer version', '7\n', /was written by a newer version \(format 7; this one knows formats up to 2\): update/],
  ['nobody knows what', 'one\n', /version is broken: it should hold one number; .* or start with another --data/],
])('a folder of %s is refused and left as it was', async (_, version, message) => {
  const dataDir = await usedFolder()
  await writeFile(join(dataDir, 'version'), version)
  await expect(start(dataDir)).rejects.toThrow(message)
  expect(await readFile(join(dataDir, 'version'), 'utf8')).toBe(version)
})

test('a folder that is too old says which folder it is and what can be done', async () => {
  const dataDir = await newFolder()
  await writeVersion(dataDir, { oldest: 0, current: 2 })
  await expect(checkVersion(dataDir, { oldest: 2, current: 4 })).resolves.toBeUndefined()
  const refusal = checkVersion(dataDir, { oldest: 3, current: 4 })
  await expect(refusal).rejects.toThrow(`${dataDir} was written by an older version (format 2`)
  await expect(refusal).rejects.toThrow('copy what you need with the version that wrote it')
})

const text = 'not a database\n'.repeat(1000)

test.each<[string, (path: string) => Promise<void>]>([
  ['text', (path) => writeFile(path, text)],
  ['nothing', (path) => truncate(path, 0)],
  ['its first pages', (path) => truncate(path, 12_288)],
  ['noise from its third page on', (path) => overwrite(path, 8192, Buffer.alloc(65_536, 0xa5))],
])('an index that has become %s is named, and nothing else happens', async (_, spoil) => {
  for (const index of ['oss/index', 'tablestore']) {
    const dataDir = await usedFolder()
    const path = join(dataDir, index, 'data.mdb')
    await spoil(path)
    const spoilt = await readFile(path)
    await expect(start(dataDir)).rejects.toThrow(
      new RegExp(`^${path} is broken \\(.+\\): put a copy in its place, or start with another --data$`),
    )
    expect(await readFile(path)).toEqual(spoilt)
    // Nor is it taken for whole by the next.
    await expect(start(dataDir)).rejects.toThrow('is broken')
  }
})

async function overwrite(path: string, at: number, bytes: Buffer): Promise<void> {
  const file = await open(path, 'r+')
  await file.write(bytes, 0, bytes.length, at)
  await file.close()
}

test('a folder is not held by a process that is over, though nobody has asked yet how it ended', async () => {
  const dataDir = await usedFolder()
  // The shell becomes a program that never waits for its child, before that one ends.
  const parent = spawn('sh', ['-c', 'sleep 0.5 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] })
  onTestFinished(() => void parent.kill('SIGKILL'))
  const [line] = await once(parent.stdout, 'data')
  const pid = Number(String(line))
  const fields = async () => (await readFile(`/proc/${pid}/stat`, 'latin1')).split(') ')[1]?.split(' ') ?? []
  await expect.poll(async () => (await fields())[0]).toBe('Z')
  await writeFile(join(dataDir, 'lock'), JSON.stringify({ pid, born: (await fields())[19] }))
  await expect(start(dataDir)).resolves.toBeDefined()
})
