import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Agent, get } from 'node:http'
import type { Cloud } from '../local/index.ts'
import { openTables } from '../shared/cloud/tablestore.ts'
import { publishedOf } from '../shared/published.ts'
import { mediaTable } from '../shared/tables/media.ts'
import { playbacksTable } from '../shared/tables/playbacks.ts'
import { plannedRenditions, renditionsTable } from '../shared/tables/renditions.ts'
import { plannedRuns, segmentsTable } from '../shared/tables/segments.ts'
import { NOTHING_YET, videosTable } from '../shared/tables/videos.ts'
import { SMALL_INFO, smallPlan } from '../test/shared/plans.ts'
import { cpuMs, interleave, type Row } from './measure.ts'

/** What the functions sign with here. */
export const SECRET_KEY = 'a key of at least thirty-two characters'
const SEGMENTS = 1000
const ROUNDS = 5
/** The video that is measured with. */
export const IDS = { mediaId: 'benchmedia000001', videoId: 'benchvideo000001', playbackId: 'benchplayback001' }

/** What a viewer costs: redirects and playlists of the built play-redirect, beside a bare Node server with the same answer. */
export async function httpRows(cloud: Cloud, distDir: string): Promise<Row[]> {
  await fillTables(cloud)
  const server = await startFunction('play-redirect', cloud, distDir)
  try {
    const segment = `/play/${IDS.playbackId}/720p/500.ts`
    const playlist = `/play/${IDS.playbackId}/720p/index.m3u8`
    return [
      await compare(server, segment, 4000, {
        name: 'segment redirect, signed, warm',
        baseline: 'bare Node http 302',
        target: 2.5,
      }),
      await compare(server, playlist, 1500, {
        name: `playlist of ${SEGMENTS} segments, warm`,
        baseline: 'bare Node http, same bytes',
        target: 2,
      }),
    ]
  } finally {
    server.child.kill('SIGKILL')
  }
}

/** A finished video of 1000 segments, written as the pipeline writes it. */
async function fillTables(cloud: Cloud): Promise<void> {
  const tables = openTables(cloud.tablestore, cloud, { requestId: 'bench' })
  const plan = smallPlan(SEGMENTS, 'benchplan')
  const { mediaId, videoId, playbackId } = IDS
  await mediaTable(tables).create({ mediaId, sourceKey: 'k', sourceEtag: 'E', sizeBytes: 1, crc64: '1' })
  await mediaTable(tables).savePlan(mediaId, plan, SMALL_INFO)
  for (const rendition of plannedRenditions(mediaId, plan)) await renditionsTable(tables).create(rendition)
  for (const run of plannedRuns(mediaId, plan)) await segmentsTable(tables).create(run)
  const sizesBytes = Array.from({ length: SEGMENTS }, (_, at) => 400_000 + at)
  const stored = plan.renditions.map(({ name }) => ({ rendition: name, firstSegment: 0, sizesBytes }))
  await segmentsTable(tables).publish(mediaId, plan.planId, stored)
  const { untilUs } = publishedOf(plannedRenditions(mediaId, plan), await segmentsTable(tables).all(mediaId))
  if (Number.isFinite(untilUs)) throw new Error('the video for the measurement is not complete')
  await playbacksTable(tables).create({ playbackId, videoId, mediaId, policy: 'public', revoked: false })
  const created = { videoId, mediaId, ownerId: 'bench', title: 'bench', sourceContext: '', classId: '' }
  await videosTable(tables).create({
    ...created,
    playbackIds: [playbackId],
    sizeBytes: 1,
    sourceKey: 'k',
    createdAt: 1,
  })
  const video = await videosTable(tables).find(videoId)
  if (video) await videosTable(tables).saveDerived(video, { ...NOTHING_YET, status: 'ready', playable: true })
}

export interface Server {
  readonly child: ChildProcess
  readonly port: number
  readonly headers: Record<string, string>
}

/** A function with a custom runtime as Function Compute runs it, in a process of its own. */
export async function startFunction(name: string, cloud: Cloud, distDir: string): Promise<Server> {
  const port = await freePort()
  const child = spawn(process.execPath, [`${distDir}/functions/${name}/index.mjs`], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      PATH: process.env.PATH,
      FC_CUSTOM_LISTEN_PORT: String(port),
      REGION: cloud.region,
      PUBLIC_URL: cloud.gateway,
      SECRET_KEY,
      OSS_ENDPOINT: cloud.oss.endpoint,
      OSS_BUCKET: cloud.oss.bucket,
      OSS_ADDRESSING: cloud.oss.addressing,
      TABLESTORE_ENDPOINT: cloud.tablestore.endpoint,
      TABLESTORE_INSTANCE: cloud.tablestore.instance,
    },
  })
  const headers = {
    'x-fc-request-id': 'bench',
    'x-fc-access-key-id': cloud.accessKeyId,
    'x-fc-access-key-secret': cloud.accessKeySecret,
  }
  await answers(port, headers)
  return { child, port, headers }
}

/** A server of a few lines in a process of its own; reads what it needs, its port among it, from standard input. */
export async function startBare(code: string, input: object): Promise<Server> {
  const port = await freePort()
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['pipe', 'ignore', 'inherit'] })
  child.stdin.end(JSON.stringify({ ...input, port }))
  await answers(port, {})
  return { child, port, headers: {} }
}

const BARE = `
import { createServer } from 'node:http'
const chunks = []
for await (const chunk of process.stdin) chunks.push(chunk)
const { port, status, headers, body } = JSON.parse(Buffer.concat(chunks).toString())
createServer((request, response) => response.writeHead(status, headers).end(body)).listen(port, '127.0.0.1')
`

async function freePort(): Promise<number> {
  const { createServer } = await import('node:net')
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address ? address.port : 0
}

async function answers(port: number, headers: Record<string, string>): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    const answer = await fetch(`http://127.0.0.1:${port}/healthz/play-redirect`, { headers }).catch(() => undefined)
    if (answer) return void (await answer.arrayBuffer())
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error(`nothing answers on port ${port}`)
}

interface Answer {
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: string
}

async function compare(
  server: Server,
  path: string,
  requests: number,
  row: Pick<Row, 'name' | 'baseline' | 'target'>,
): Promise<Row> {
  const sample = await fetch(`http://127.0.0.1:${server.port}${path}`, { headers: server.headers, redirect: 'manual' })
  if (sample.status >= 400) throw new Error(`${path} answered ${sample.status}: ${await sample.text()}`)
  const kept = ['content-type', 'location', 'cache-control', 'etag', 'x-request-id']
  const headers = Object.fromEntries([...sample.headers].filter(([name]) => kept.includes(name)))
  const answer: Answer = { status: sample.status, headers, body: await sample.text() }
  const bare = await startBare(BARE, answer)
  try {
    await load(server, path, requests)
    await load(bare, path, requests)
    const result = await interleave(
      ROUNDS,
      () => cost(server, path, requests),
      () => cost(bare, path, requests),
    )
    const detail = `${result.subject.toFixed(1)} µs of CPU against ${result.baseline.toFixed(1)}`
    return { ...row, ratios: result.ratios, sense: 'most', detail }
  } finally {
    bare.child.kill('SIGKILL')
  }
}

/** Microseconds of CPU that one request costs the server. */
async function cost(server: Server, path: string, requests: number): Promise<number> {
  const pid = server.child.pid ?? 0
  const before = await cpuMs(pid)
  await load(server, path, requests)
  return ((await cpuMs(pid)) - before) * (1000 / requests)
}

async function load({ port, headers }: Server, path: string, requests: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 8 })
  let left = requests
  const worker = async () => {
    while (left-- > 0) await request(agent, port, path, headers)
  }
  await Promise.all(Array.from({ length: 8 }, worker))
  agent.destroy()
}

function request(agent: Agent, port: number, path: string, headers: Record<string, string>): Promise<void> {
  return new Promise((resolve, reject) => {
    get({ agent, host: '127.0.0.1', port, path, headers }, (response) => {
      response.resume().once('end', resolve).once('error', reject)
    }).once('error', reject)
  })
}
