import { Agent, request } from 'node:http'
import type { Local } from '../local/index.ts'
import { playSessions } from '../shared/auth/play-session.ts'
import { IDS, SECRET_KEY, type Server, startBare, startFunction } from './http.ts'
import { cpuMs, interleave, type Row } from './measure.ts'

const ROUNDS = 7
const WARM_ROUNDS = 3
const BEATS = 800
const SESSIONS = 8
/** A fault that never strikes, and counts. */
const NEVER = 1_000_000_000

/** What a beat of a viewer costs whose session is known, beside a bare server that writes the same rows in one batch. */
export async function heartbeatRow(local: Local, distDir: string): Promise<Row> {
  const { cloud } = local
  const beats = newBeats()
  const server = await startFunction('heartbeat', cloud, distDir)
  const bare = await startBare(BARE, { ...cloud.tablestore, ...keysOf(cloud), videoId: IDS.videoId })
  try {
    for (let round = 0; round < WARM_ROUNDS; round += 1) {
      await load(server, beats)
      await load(bare, beats)
    }
    const requests = await requestsOf(local, () => load(server, beats))
    const { ratios, subject, baseline } = await interleave(
      ROUNDS,
      () => cost(server, beats),
      () => cost(bare, beats),
    )
    const detail = `${subject.toFixed(0)} µs of CPU against ${baseline.toFixed(0)}, ${(requests / BEATS).toFixed(2)} requests to Tablestore a beat`
    const shared = { name: 'heartbeat, warm', baseline: 'bare Node http and one batch write by the SDK' }
    return { ...shared, ratios, target: 1.5, sense: 'most', detail }
  } finally {
    server.child.kill('SIGKILL')
    bare.child.kill('SIGKILL')
  }
}

function keysOf({ accessKeyId, accessKeySecret }: Local['cloud']) {
  return { accessKeyId, accessKeySecret }
}

/** Requests that the service sees meanwhile. */
async function requestsOf({ faults }: Local, work: () => Promise<void>): Promise<number> {
  const id = faults.add({ fault: 'call', service: 'tablestore', when: 'before', nth: NEVER })
  await work()
  const seen = faults.list().find((fault) => fault.id === id)?.seen ?? Number.NaN
  faults.remove(id)
  return seen
}

/** Bodies of the next beats of some viewers, who take turns. */
function newBeats(): () => string {
  const plays = playSessions(SECRET_KEY)
  const sessions = Array.from({ length: SESSIONS }, (_, at) => {
    const viewerId = `bench-viewer-${String(at).padStart(8, '0')}`
    return { viewerId, sessionId: plays.issue(IDS.playbackId, `BENCH${String(at).padStart(11, '0')}`, Date.now()) }
  })
  let sent = 0
  return () => {
    const seq = Math.floor(sent / SESSIONS) + 1
    const session = sessions[sent % SESSIONS]
    sent += 1
    return JSON.stringify({
      ...{ playbackId: IDS.playbackId, ...session, seq, positionMs: seq * 1000, event: 'timeupdate', playing: true },
      ...{ startupMs: 300, stalls: 1, stallMs: 200, droppedFrames: 0, bitsPerSecond: 2_000_000 },
    })
  }
}

/** Microseconds of CPU that one beat costs the server. */
async function cost(server: Server, beats: () => string): Promise<number> {
  const pid = server.child.pid ?? 0
  const before = await cpuMs(pid)
  await load(server, beats)
  return ((await cpuMs(pid)) - before) * (1000 / BEATS)
}

/** Each viewer has one connection and waits for the answer, as players do. */
async function load({ port, headers }: Server, beats: () => string): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: SESSIONS })
  for (let round = 0; round < BEATS / SESSIONS; round += 1) {
    await Promise.all(Array.from({ length: SESSIONS }, () => send(agent, port, headers, beats())))
  }
  agent.destroy()
}

function send(agent: Agent, port: number, headers: Record<string, string>, body: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const options = { agent, host: '127.0.0.1', port, method: 'POST', path: '/v1/heartbeats' }
    const sent = { ...headers, 'content-type': 'text/plain', 'content-length': Buffer.byteLength(body) }
    request({ ...options, headers: sent }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`a beat was answered ${response.statusCode}`))
      response.resume().once('end', resolve).once('error', reject)
    })
      .once('error', reject)
      .end(body)
  })
}

/** Reads the body, writes position and session in one request, answers. */
const BARE = `
import { createServer } from 'node:http'
import TableStore from 'tablestore'
const input = []
for await (const chunk of process.stdin) input.push(chunk)
const { port, endpoint, instance, accessKeyId, accessKeySecret, videoId } = JSON.parse(Buffer.concat(input).toString())
const client = new TableStore.Client({ endpoint, instancename: instance, accessKeyId, accessKeySecret })
const condition = new TableStore.Condition(TableStore.RowExistenceExpectation.IGNORE, null)
const long = (number) => TableStore.Long.fromNumber(number)
const update = (tableName, primaryKey, values) => ({
  tableName,
  rows: [{ type: 'UPDATE', condition, primaryKey, attributeColumns: [{ PUT: Object.entries(values).map(([name, value]) => ({ [name]: value })) }] }],
})
async function write(beat) {
  const { viewerId, sessionId, seq, positionMs, startupMs, stalls, stallMs, droppedFrames, bitsPerSecond } = beat
  const answer = await client.batchWriteRow({
    tables: [
      update('progress', [{ viewer_key: 'bare:' + viewerId }, { video_id: videoId }], {
        position_ms: long(positionMs), session_id: sessionId, seq: long(seq), effective_at: long(Date.now()), ended: false,
      }),
      update('sessions', [{ video_id: videoId }, { session_id: 'bare' + sessionId }], {
        seq: long(seq), last_at: long(Date.now()), watched_ms: long(positionMs), playing: true, startup_ms: long(startupMs),
        stalls: long(stalls), stall_ms: long(stallMs), dropped_frames: long(droppedFrames), bits_per_second: long(bitsPerSecond),
      }),
    ],
  })
  if (answer.tables.some(({ isOk }) => !isOk)) throw new Error(JSON.stringify(answer.tables))
}
createServer(async (request, response) => {
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  if (request.method === 'POST') await write(JSON.parse(Buffer.concat(chunks).toString()))
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ data: { nextBeatMs: 10000 } }))
}).listen(port, '127.0.0.1')
`
