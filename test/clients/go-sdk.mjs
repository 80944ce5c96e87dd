/** The vendor's SDK for Go with its own test suite, as Debian packages it. */
import { cp, mkdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { byAddress, forwardProxy, missingPackages, packageVersion, runProgram } from './tools.mjs'

const PACKAGE = 'golang-github-aliyun-aliyun-oss-go-sdk-dev'
const IMPORT_PATH = 'github.com/aliyun/aliyun-oss-go-sdk'
const GOCODE = '/usr/share/gocode'

/** The picture of the suite is not in Debian's package; the tests know its length, and some its checksum. */
const PICTURE_BYTES = 482_048

const OTHER_PICTURE =
  "expects the ETag of a picture that Debian's package does not have; with other bytes the ETag is another"

/** @type {import('./clients.d.ts').Client} */
export const goSdk = {
  name: 'go-sdk',
  missing: () => missingPackages(['golang-go', PACKAGE, 'golang-gopkg-check.v1-dev', 'golang-golang-x-time-dev']),
  version: async () => `${PACKAGE} ${(await packageVersion(PACKAGE)) ?? '(missing)'}`,
  async run(cloud, workDir) {
    const source = join(workDir, 'src', IMPORT_PATH)
    await cp(join(GOCODE, 'src', IMPORT_PATH), source, { recursive: true, dereference: true })
    await writeSamples(join(source, 'sample'))
    const program = join(workDir, 'suite')
    const build = await runProgram('go', ['test', '-vet=off', '-c', '-o', program, '.'], {
      cwd: join(source, 'oss'),
      env: goEnvironment(workDir),
      seconds: 300,
    })
    if (build.status !== 0) return [{ name: 'build', error: build.text }]
    await openToAll(workDir)
    const proxy = await forwardProxy(cloud.oss.endpoint)
    try {
      const env = {
        // Dates in the checkpoints of the suite are as long as those of Shanghai.
        TZ: 'Asia/Shanghai',
        OSS_TEST_ENDPOINT: byAddress(cloud.oss.endpoint),
        OSS_TEST_ACCESS_KEY_ID: cloud.accessKeyId,
        OSS_TEST_ACCESS_KEY_SECRET: cloud.accessKeySecret,
        OSS_TEST_PROXY_HOST: proxy.url,
        OSS_TEST_PROXY_USER: 'user',
        OSS_TEST_PROXY_PASSWORD: 'password',
      }
      const { text, status } = await runProgram(program, ['-check.vv'], {
        cwd: join(source, 'oss'),
        env,
        seconds: 900,
        asNobody: true,
      })
      const outcomes = readOutcomes(text)
      return status === null ? [...outcomes, { name: 'suite', error: `stopped: ${text.slice(-1000)}` }] : outcomes
    } finally {
      await proxy.close()
    }
  },
  known: {
    'OssClientSuite.TestEndpointFormat': 'appends `:80` to the endpoint, which has a port already',
    'OssCopySuite.TestCopyRoutineWithRecovery': OTHER_PICTURE,
    'OssDownloadSuite.TestDownloadRoutineWithRecovery': OTHER_PICTURE,
  },
}

/** @param {string} workDir */
export function goEnvironment(workDir) {
  return {
    GO111MODULE: 'off',
    GOPATH: `${workDir}:${GOCODE}`,
    GOFLAGS: '',
    GOCACHE: join(workDir, 'cache'),
    GOTMPDIR: '',
  }
}

/** @param {string} folder */
async function writeSamples(folder) {
  await mkdir(folder, { recursive: true })
  const picture = join(folder, 'BingWallpaper-2015-11-07.jpg')
  // No two blocks are alike, so that parts in a wrong order are noticed.
  const numbers = Uint32Array.from({ length: PICTURE_BYTES / 4 }, (_, at) => Math.imul(at, 2_654_435_761))
  await writeFile(picture, new Uint8Array(numbers.buffer))
  await writeFile(join(folder, 'The Go Programming Language.html'), `<html>${'<p>go</p>'.repeat(6000)}</html>`)
  // A whole second: the text of the time is then as long as the suite wants it.
  await utimes(picture, 1_450_348_983, 1_450_348_983)
}

/** @param {string} folder */
async function openToAll(folder) {
  await runProgram('chmod', ['-R', 'a+rwX', folder], { cwd: folder, seconds: 60 })
}

/** One outcome for each test: gocheck prints what went wrong before the line that names it. @param {string} text */
function readOutcomes(text) {
  /** @type {import('./clients.d.ts').Outcome[]} */
  const outcomes = []
  let from = 0
  for (const match of text.matchAll(/^(PASS|FAIL|PANIC|MISS): \w+\.go:\d+: (\w+Suite\.Test\w+).*$/gm)) {
    const [line, verdict, name = ''] = match
    const error = text.slice(from, match.index)
    from = match.index + line.length
    outcomes.push(verdict === 'PASS' ? { name } : { name, error: `${verdict}: ${error.slice(-1500).trim()}` })
  }
  return outcomes
}
