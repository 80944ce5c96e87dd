/** s3fs, which mounts a bucket as a folder; it needs FUSE, and here the rights to mount. */
import { randomBytes } from 'node:crypto'
import { access, mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { commandOf, runSteps, same } from './steps.mjs'
import { missingPackages, packageVersion } from './tools.mjs'

/** @type {import('./clients.d.ts').Client} */
export const s3fs = {
  name: 's3fs',
  async missing() {
    const fuse = await access('/dev/fuse').then(
      () => process.getuid?.() === 0,
      () => false,
    )
    return (await missingPackages(['s3fs', 'fuse'])) ?? (fuse ? undefined : 'needs /dev/fuse and root')
  },
  version: async () => `s3fs ${(await packageVersion('s3fs')) ?? '(missing)'}`,
  async run(cloud, workDir) {
    const folder = join(workDir, 'mounted')
    await mkdir(folder)
    await writeFile(join(workDir, 'keys'), `${cloud.accessKeyId}:${cloud.accessKeySecret}`, { mode: 0o600 })
    const run = (/** @type {string} */ program, /** @type {string[]} */ ...args) =>
      commandOf(program, { cwd: workDir, env: {} })(...args)
    const options = [
      'use_path_request_style',
      `url=${cloud.oss.endpoint}`,
      `endpoint=${cloud.region}`,
      'passwd_file=keys',
    ]
    const outcomes = []
    for (const version of ['sigv4', 'sigv2']) {
      const flags = [...options, version].flatMap((one) => ['-o', one])
      const mounted = await runSteps({
        [`${version} mounts`]: async () => void (await run('s3fs', cloud.oss.bucket, folder, ...flags)),
      })
      outcomes.push(...mounted)
      if (mounted.some(({ error }) => error !== undefined)) continue
      try {
        outcomes.push(...(await runSteps(steps(version, join(folder, `s3fs-${version}-${Date.now()}`)))))
      } finally {
        await run('fusermount', '-u', folder)
      }
    }
    return outcomes
  },
  known: {},
}

/** @param {string} version @param {string} folder */
function steps(version, folder) {
  const big = randomBytes(60_000_000)
  const path = (/** @type {string} */ name) => join(folder, name)
  return {
    [`${version} writes and reads`]: async () => {
      await mkdir(folder)
      await writeFile(path('a b+c 中文.txt'), 'hello')
      same(await readFile(path('a b+c 中文.txt'), 'utf8'), 'hello')
    },
    [`${version} writes a large file in parts`]: async () => {
      await writeFile(path('big'), big)
      same(Buffer.compare(await readFile(path('big')), big), 0)
    },
    [`${version} keeps modes and times`]: async () => {
      await writeFile(path('mode'), 'x', { mode: 0o640 })
      await utimes(path('mode'), 1_000_000, 1_000_000)
      const { mode, mtimeMs } = await stat(path('mode'))
      same([mode & 0o777, mtimeMs], [0o640, 1_000_000_000])
    },
    [`${version} renames and lists`]: async () => {
      await rename(path('mode'), path('renamed'))
      same((await readdir(folder)).sort(), ['a b+c 中文.txt', 'big', 'renamed'].sort())
    },
    [`${version} removes`]: async () => {
      await rm(folder, { recursive: true })
    },
  }
}
