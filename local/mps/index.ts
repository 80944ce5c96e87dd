import { appendFile, mkdir, rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import type { Watch } from '../ffmpeg/run.ts'
import { sessionAllows } from '../wire/acs3.ts'
import { type Clock, machineClock } from '../wire/clock.ts'
import type { Credentials, Identity } from '../wire/credentials.ts'
import { type ListenOptions, type LocalServer, listen } from '../wire/http.ts'
import type { Intercept } from '../wire/intercept.ts'
import { type RpcAction, rpcListener } from '../wire/rpc-service.ts'
import { type WorkCounter, workCounter } from '../wire/work.ts'
import { bucketActions } from './bucket-actions.ts'
import { type Notifier, openEngine } from './engine.ts'
import { mpsError } from './errors.ts'
import { jobActions } from './job-actions.ts'
import type { Tools } from './media.ts'
import { openOssClient } from './oss.ts'
import { defaultPipeline, pipelineActions } from './pipelines.ts'
import { openStore } from './store.ts'
import { templateActions } from './templates.ts'

/*
 * ApsaraVideo Media Processing (MPS, formerly MTS), API 2014-06-18. Gaps, as of 2026-11 (nothing here has been compared
 * with the real service; facts are from its documentation and from its SDK's models):
 * By design:
 * - Jobs are done by this machine's ffmpeg, a few at a time, and read and write OSS in the role AliyunMTSDefaultRole.
 *   Narrowband HD and Boost pipelines change nothing; TransMode twopass makes one pass.
 * - Every bucket of the account can be used, whether it was bound or not; binding is kept and listed.
 * - A job that a shutdown cuts off begins again at the next start. Percent is 0 or 100.
 * - A source that is missing or damaged is the job's failure, not the request's. What fails on the way to or from OSS is
 *   tried four times.
 * Unproven: HTTP statuses of errors; that `.m3u8` is appended to a name that has it; how a playlist writes names that are
 *   not plain; which of an output's mistakes are Success=false and which fail the request; FileSize of a playlist (here
 *   that of its segments); IsCheckResoFail's code; what an intra frame is (here the last key frame before the time).
 * Missing:
 * - Smart presets (S00000000-) and SubmitAnalysisJob; watermarks, MergeList, opening and tail, subtitles, Amix,
 *   Crop=border, a Rotate that is no quarter turn, DASH, KMS keys: Success=false with InvalidParameter.NotSupported,
 *   InvalidParameter.TemplateNotSupported or DataEncryption.CiphertextNotExist. Webvtt, the filter of black frames and
 *   time arrays of snapshots are refused.
 * - Workflows, media library, watermark templates, moderation, DNA, production, tagging: InvalidAction.NotFound.
 * - There is no flow control and no quota.
 */

/** What the media service needs to run. */
export interface MpsOptions extends ListenOptions {
  readonly dataDir: string
  readonly credentials: Credentials
  readonly region: string
  readonly ossEndpoint: string
  readonly notifier: Notifier
  /** Finds ffmpeg and ffprobe when they are first needed; throws when there are none. */
  tools(): Promise<Tools>
  /** Where what ffmpeg is told is written; nowhere when missing. */
  readonly logFile?: string
  /** Is told of every ffmpeg; what it watches is killed should this process die without doing it itself. */
  readonly watch?: Watch
  /** Jobs at once; beside them twice as many of those whose clients wait for the answer. */
  readonly concurrency?: number
  readonly clock?: Clock
  readonly intercept?: Intercept
}

/** A running media service. */
export interface MpsService extends LocalServer, Pick<WorkCounter, 'idle' | 'isBusy'> {
  /** The one that is there from the start. */
  readonly pipelineId: string
  /** Goes on with what a previous run left. */
  resume(): void
}

const VERSION = '2014-06-18'

/** Starts the media service over its folder. */
export async function startMps(options: MpsOptions): Promise<MpsService> {
  const { dataDir, credentials, clock = machineClock, region, intercept, notifier, tools } = options
  const { now } = clock
  const store = openStore(dataDir)
  const tmpDir = join(dataDir, 'tmp')
  // Left by a run that did not end in order.
  await rm(tmpDir, { recursive: true, force: true })
  await mkdir(tmpDir, { recursive: true })
  const pipelineId = await defaultPipeline(store, now)
  const work = workCounter()
  const requests = workCounter()
  const log = logTo(options.logFile, now)
  const oss = openOssClient({ endpoint: options.ossEndpoint, credentials, now })
  const concurrency = options.concurrency ?? Math.max(1, Math.floor(availableParallelism() / 2))
  const watched = options.watch ? { watch: options.watch } : {}
  const engine = openEngine({ store, notifier, tools, tmpDir, oss, log, work, concurrency, now, ...watched })
  let seq = store.jobs.all().reduce((last, job) => Math.max(last, job.seq), 0)
  const actions: Readonly<Record<string, Run>> = {
    ...jobActions({ store, engine, region, now, nextSeq: () => ++seq }),
    ...templateActions(store, now),
    ...pipelineActions(store, now, engine.wake),
    ...bucketActions(store),
  }
  const listener = rpcListener({
    service: 'mps',
    product: 'Mts',
    version: VERSION,
    credentials,
    ...(intercept ? { intercept } : {}),
    now: clock.nearest,
    actions: Object.fromEntries(
      Object.entries(actions).map(([name, run]) => [
        name,
        { target: targetOf, run: counted(allowed(name, run, region), requests) },
      ]),
    ),
  })
  const server = await listen(listener, options).catch(async (error: unknown) => {
    await store.close()
    throw error
  })
  return {
    ...server,
    pipelineId,
    resume: () => engine.resume(),
    idle: work.idle,
    isBusy: work.isBusy,
    async close() {
      await server.close()
      await engine.close()
      await Promise.all([work.idle(), requests.idle()])
      await store.close()
    },
  }
}

type Run = (parameters: URLSearchParams) => object | Promise<object>

/** Resources cannot be told apart: a policy names all of them. https://help.aliyun.com/zh/mps/user-guide/ram */
function allowed(name: string, run: Run, region: string) {
  return (parameters: URLSearchParams, identity: Identity) => {
    const resource = `acs:mts:${region}:${identity.accountId}:*`
    if (!sessionAllows(identity, `mts:${name}`, resource)) throw mpsError('NoPermission')
    return run(parameters)
  }
}

/** Nothing is written any more once all that began has ended. */
function counted(run: RpcAction['run'], requests: WorkCounter): RpcAction['run'] {
  return async (parameters, identity) => {
    requests.count(1)
    try {
      return await run(parameters, identity)
    } finally {
      requests.count(-1)
    }
  }
}

/** What faults are aimed at: the source, or what is asked for by its id. */
function targetOf(parameters: URLSearchParams): string {
  const names = ['Input', 'JobIds', 'JobId', 'SnapshotJobIds', 'MediaInfoJobIds', 'PipelineId', 'TemplateId']
  return names.map((name) => parameters.get(name) ?? '').find((value) => value !== '') ?? ''
}

function logTo(path: string | undefined, now: () => number): (line: string) => void {
  if (path === undefined) return () => {}
  const append = (text: string) =>
    appendFile(path, text).catch(() => mkdir(dirname(path), { recursive: true }).then(() => appendFile(path, text)))
  let last = Promise.resolve()
  return (line) => {
    const text = `${new Date(now()).toISOString()} ${line}\n`
    // A log that cannot be written must not end what it tells of.
    last = last.then(() => append(text)).catch(() => {})
  }
}
