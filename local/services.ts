import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { MovableClock } from './controls/clock.ts'
import type { FaultHooks } from './controls/faults.ts'
import type { Fc } from './fc/index.ts'
import { type Reaper, startReaper } from './fc/reaper.ts'
import { findTool } from './ffmpeg/find.ts'
import type { Watch } from './ffmpeg/run.ts'
import { startMns } from './mns/index.ts'
import { startMps } from './mps/index.ts'
import { startOss } from './oss/index.ts'
import { StartupError } from './start-error.ts'
import { startSts } from './sts/index.ts'
import { startTablestore } from './tablestore/index.ts'
import type { Teardown } from './teardown.ts'
import type { Credentials } from './wire/credentials.ts'
import type { Call } from './wire/intercept.ts'
import type { ObjectEvent } from './wire/object-event.ts'

/** Above the gateway's port. */
const PORTS: Readonly<Record<Call['service'], number>> = { oss: 1, tablestore: 2, sts: 3, fc: 4, mps: 5, mns: 6 }

export interface Surroundings {
  readonly dataDir: string
  readonly host: string
  /** Of the gateway; 0: the system chooses each. */
  readonly port: number
  readonly region: string
  readonly instance: string
  readonly credentials: Credentials
  readonly clock: MovableClock
  readonly faults: FaultHooks
  /** Where packages are looked for. */
  readonly home: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Function Compute comes up last, and takes what the others have to tell. */
  fc(): Pick<Fc, 'ossEvent' | 'topicMessage'> | undefined
}

/** What every service has in common: where it listens, whom it knows, what time it is and what goes wrong. */
export function common(name: Call['service'], { host, port, credentials, clock, faults }: Surroundings) {
  const { now, nearest } = clock
  const place = { host, port: port === 0 ? 0 : port + PORTS[name] }
  return { ...place, credentials, now, nearest, intercept: faults.intercept, shape: faults.shape(name) }
}

/** Every service but Function Compute; `running` takes them down again. */
export async function startServices(around: Surroundings, running: Teardown) {
  const { dataDir, region, instance, clock, faults, home, env, fc } = around
  // Clients that wait for a restart are quicker than Function Compute.
  const early: ObjectEvent[] = []
  const tell = (event: ObjectEvent) => {
    const functions = fc()
    if (functions) functions.ossEvent(event)
    else early.push(event)
  }
  const oss = running.up(
    await startOss({
      ...common('oss', around),
      dataDir: join(dataDir, 'oss'),
      region,
      disk: faults.disk,
      onEvent: (event) => faults.event(event.key, () => tell(event)),
      ffmpeg: async () => (await findTool('ffmpeg', home, env))?.path,
    }),
  )
  const tablestore = running.up(
    await startTablestore({ ...common('tablestore', around), dataDir: join(dataDir, 'tablestore'), instance }),
  )
  const sts = running.up(await startSts(common('sts', around)))
  const mns = running.up(
    await startMns({
      ...common('mns', around),
      clock,
      region,
      dataDir: join(dataDir, 'mns'),
      courier: faults.messages,
      onMessage(message) {
        const functions = fc()
        // It is kept, and tried again in a moment.
        if (!functions) throw new Error('Function Compute is not up')
        functions.topicMessage(message)
      },
    }),
  )
  const mps = running.up(
    await startMps({
      ...common('mps', around),
      clock,
      region,
      dataDir: join(dataDir, 'mps'),
      logFile: join(dataDir, 'logs', 'mps.log'),
      ossEndpoint: oss.url,
      notifier: mns,
      tools: () => findTools(home, env),
      watch: watchTools(running, env),
    }),
  )
  /** Once Function Compute is up: what has happened until then. */
  const tellEarlier = () => {
    for (const event of early.splice(0)) tell(event)
  }
  return { oss, tablestore, sts, mns, mps, tellEarlier }
}

/** Kills what is told of when this process dies without doing it itself; costs a process from the first one on. */
function watchTools(running: Teardown, env: Surroundings['env']): Watch {
  let reaper: Reaper | undefined
  running.add(async () => reaper?.close())
  return () => {
    const watching = reaper ?? startReaper(reaperPath())
    reaper = watching
    const instanceId = `mps-${randomUUID()}`
    watching.add({ instanceId })
    return {
      env: { ...env, FC_INSTANCE_ID: instanceId },
      started: (pid) => watching.add({ instanceId, pid }),
      ended: () => watching.remove(instanceId),
    }
  }
}

/** In the sources, or beside the bundle. */
function reaperPath(): string {
  const places = ['./fc/reaper.mjs', './reaper.mjs'].map((name) => fileURLToPath(new URL(name, import.meta.url)))
  return places.find((path) => existsSync(path)) ?? ''
}

async function findTools(home: string, env: Surroundings['env']) {
  const [ffmpeg, ffprobe] = await Promise.all([findTool('ffmpeg', home, env), findTool('ffprobe', home, env)])
  if (!ffmpeg || !ffprobe) throw new StartupError('there is no ffmpeg with its ffprobe')
  return { ffmpeg: ffmpeg.path, ffprobe: ffprobe.path }
}
