import { readdir, readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import type { Cloud } from '../../../local/index.ts'
import { buildCloud } from '../../cloud-process.ts'
import { type Client, clientOf, create, update, zipOf } from '../fc/api.ts'
import { fc3Sdk, localConfig } from '../fc/sdk.ts'
import { type MnsClient, mnsClient } from '../mns/open.ts'
import { clip, type MtsClient, mtsSdk } from '../mps/open.ts'
import { KilledCloud } from './killed-cloud.ts'
import { randomOf } from './random.ts'

beforeAll(buildCloud)

const BUSY_MACHINE = { timeout: 120_000 }
const QUEUE = 'kept'
const INPUT = { Bucket: 'yunbo', Location: 'oss-cn-hangzhou', Object: 'in.mp4' }

interface Vendors {
  readonly fc: Client
  readonly mns: MnsClient
  readonly mts: MtsClient
}

function vendors({ fc, mns, mps, accessKeyId, accessKeySecret }: Cloud): Vendors {
  const keys = { accessKeyId, accessKeySecret }
  const portOf = (host: string) => Number(new URL(`http://${host}`).port)
  type Config = ConstructorParameters<typeof mtsSdk.default>[0]
  return {
    fc: clientOf({ port: portOf(fc.endpoint) }, keys),
    mns: mnsClient(mns.endpoint, keys),
    mts: new mtsSdk.default(localConfig(portOf(mps.endpoint), keys) as Config),
  }
}

/** Code and variable of the same number belong together: an update brings both. */
const code = (number: number) => ({
  environmentVariables: { WORD: String(number) },
  code: { zipFile: zipOf({ 'index.js': `exports.handler = async () => '${number} ' + process.env.WORD` }) },
})

interface Ledger {
  /** By function: the last number and version that were acknowledged. */
  readonly functions: Map<string, { number: number; versions: number }>
  readonly messages: Set<string>
  readonly jobs: Set<string>
}

async function deployAll({ fc }: Vendors, name: string, { functions }: Ledger, answered: () => void): Promise<void> {
  await create(fc, name, code(1))
  const known = { number: 1, versions: 0 }
  functions.set(name, known)
  for (let number = 2; ; number++) {
    answered()
    await update(fc, name, code(number))
    known.number = number
    answered()
    await fc.publishFunctionVersion(name, new fc3Sdk.PublishFunctionVersionRequest({ body: {} }))
    known.versions += 1
  }
}

async function sendAll({ mns }: Vendors, lane: number, { messages }: Ledger, answered: () => void): Promise<void> {
  for (let number = 1; ; number++) {
    const body = `${lane}-${number}`
    const { code: status } = await mns.sendMessage(QUEUE, { MessageBody: body })
    if (status !== 201) throw new Error(`sending is answered with ${status}`)
    messages.add(body)
    answered()
  }
}

async function submitAll({ mts }: Vendors, { jobs }: Ledger, answered: () => void): Promise<void> {
  for (;;) {
    const request = new mtsSdk.SubmitMediaInfoJobRequest({ input: JSON.stringify(INPUT), async: true })
    jobs.add((await mts.submitMediaInfoJob(request)).body?.mediaInfoJob?.jobId ?? '')
    answered()
  }
}

test('what was deployed, sent and submitted is there and whole after kill -9 in the middle', BUSY_MACHINE, async () => {
  const cloud = await KilledCloud.open()
  onTestFinished(() => cloud.close())
  await cloud.clients().oss.put('in.mp4', await clip(1))
  const before = vendors(cloud.running)
  await before.mns.createQueue(QUEUE)
  const ledger: Ledger = { functions: new Map(), messages: new Set(), jobs: new Set() }
  let left = randomOf(7).between(120, 160)
  await new Promise<void>((resolve, reject) => {
    const answered = () => {
      left -= 1
      if (left === 0) cloud.kill().then(resolve, reject)
    }
    const fails = (work: Promise<void>) => work.catch((error) => left > 0 && reject(error))
    for (const lane of [1, 2, 3]) void fails(deployAll(before, `deployed-${lane}`, ledger, answered))
    for (const lane of [1, 2, 3]) void fails(sendAll(before, lane, ledger, answered))
    void fails(submitAll(before, ledger, answered))
  })
  await cloud.start()
  const { fc, mns, mts } = vendors(cloud.running)
  await Promise.all([...ledger.functions].map(([name, known]) => expectFunction(fc, name, known)))
  await expectMessages(mns, ledger.messages)
  await expectJobs(mts, [...ledger.jobs])
})

/** As it was acknowledged, or one step further, which was asked for and not answered. */
async function expectFunction(fc: Client, name: string, { number, versions }: { number: number; versions: number }) {
  const { body } = await fc.invokeFunction(
    name,
    new fc3Sdk.InvokeFunctionRequest({ body: Readable.from([Buffer.from('x')]) }),
  )
  const [ran = '', word = ''] = (await buffer(body as Readable)).toString().split(' ')
  expect(ran).toBe(word)
  expect([number, number + 1]).toContain(Number(ran))
  const listed = await fc.listFunctionVersions(name, new fc3Sdk.ListFunctionVersionsRequest({ limit: 100 }))
  expect([versions, versions + 1]).toContain(listed.body?.versions?.length)
}

async function expectMessages(mns: MnsClient, sent: ReadonlySet<string>): Promise<void> {
  const found: string[] = []
  for (;;) {
    const { body } = await mns.batchReceiveMessage(QUEUE, 16, 0).catch(() => ({ body: undefined }))
    if (!body?.length) break
    found.push(...body.map(({ MessageBody = '' }) => MessageBody))
  }
  expect(found).toEqual(expect.arrayContaining([...sent]))
  expect(new Set(found).size).toBe(found.length)
  // Each sender may have had one on its way.
  expect(found.length).toBeLessThanOrEqual(sent.size + 3)
}

async function expectJobs(mts: MtsClient, ids: readonly string[]): Promise<void> {
  const states = async () => {
    const pages = Array.from({ length: Math.ceil(ids.length / 10) }, (_, at) => ids.slice(at * 10, at * 10 + 10))
    const answers = await Promise.all(
      pages.map((page) =>
        mts.queryMediaInfoJobList(new mtsSdk.QueryMediaInfoJobListRequest({ mediaInfoJobIds: page.join(',') })),
      ),
    )
    return answers.flatMap(({ body }) => (body?.mediaInfoJobList?.mediaInfoJob ?? []).map(({ state }) => state))
  }
  await expect.poll(states, { timeout: 60_000, interval: 200 }).toEqual(ids.map(() => 'Success'))
}

test.runIf(process.platform === 'linux')(
  'an ffmpeg of MPS does not outlive the cloud that was killed above it',
  BUSY_MACHINE,
  async () => {
    const cloud = await KilledCloud.open()
    onTestFinished(() => cloud.close())
    await cloud.clients().oss.put('in.mp4', await clip(20))
    const { pid, mps } = cloud.running
    const output = {
      OutputObject: 'out.mp4',
      TemplateId: 'S00000001-200030',
      Video: '{"Preset":"slower","Width":"3840"}',
    }
    await vendors(cloud.running).mts.submitJobs(
      new mtsSdk.SubmitJobsRequest({
        input: JSON.stringify(INPUT),
        outputBucket: 'yunbo',
        outputs: JSON.stringify([output]),
        pipelineId: mps.pipelineId,
      }),
    )
    const encoding = () => processesNaming(`${cloud.dataDir}/mps/tmp`)
    await expect.poll(encoding, { timeout: 30_000, interval: 20 }).not.toEqual([])
    // The process alone, as an out-of-memory killer does it.
    process.kill(pid, 'SIGKILL')
    await expect.poll(encoding, { timeout: 20_000, interval: 50 }).toEqual([])
  },
)

/** Programs with this in their command line. */
async function processesNaming(text: string): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
  return lines.filter((line) => line.includes('ffmpeg') && line.includes(text))
}
