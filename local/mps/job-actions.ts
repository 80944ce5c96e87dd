import { randomUUID } from 'node:crypto'
import { OpenApiError } from '../wire/acs3.ts'
import type { Engine } from './engine.ts'
import { mpsError } from './errors.ts'
import { type OutputSettings, readOutput } from './outputs.ts'
import {
  bucketName,
  decodeKey,
  encodeKey,
  idList,
  integerParameter,
  jsonArray,
  location,
  type OssFile,
  ossFile,
  required,
  userData,
} from './parameters.ts'
import { findPipeline } from './pipelines.ts'
import { isSynchronous, readSnapshotConfig } from './snapshots.ts'
import {
  isoTime,
  type Job,
  type MediaInfoJob,
  newId,
  type SnapshotJob,
  type Store,
  type TranscodeJob,
} from './store.ts'

/** What the actions on jobs need. */
export interface JobsOptions {
  readonly store: Store
  readonly engine: Engine
  readonly region: string
  now(): number
  /** Grows with every job. */
  nextSeq(): number
}

const MOST_OUTPUTS = 30

/** What is done with jobs. */
export function jobActions({ store, engine, region, now, nextSeq }: JobsOptions) {
  const newJob = (input: OssFile, requestId: string) => {
    const base = { id: newId(), requestId, seq: nextSeq(), stage: 'submitted', input, createdAt: now() } as const
    return base
  }

  async function submitOutput(
    value: unknown,
    job: Omit<TranscodeJob, 'id' | 'kind' | 'output' | 'outputFile' | 'seq'>,
    place: Omit<OssFile, 'Object'>,
  ) {
    try {
      const output = readOutput(value, store)
      const outputFile = { ...place, Object: outputKey(output, job.input) }
      const { UserData } = output
      const made: TranscodeJob = {
        ...job,
        id: newId(),
        seq: nextSeq(),
        kind: 'transcode',
        output,
        outputFile,
        ...(UserData === undefined ? {} : { userData: UserData }),
      }
      await engine.submit(made)
      return { Success: true, Code: '', Message: '', Job: transcodeView(made) }
    } catch (error) {
      if (!(error instanceof OpenApiError)) throw error
      return { Success: false, Code: error.code, Message: error.message }
    }
  }

  function list<T extends Job['kind'], V extends object>(
    kind: T,
    parameters: URLSearchParams,
    stateOf: (job: Job) => string,
    view: (job: Extract<Job, { kind: T }>) => V,
  ) {
    const size = integerParameter(parameters, 'MaximumPageSize', [1, 100], 10)
    const state = parameters.get('State') || 'All'
    const pipeline = parameters.get('PipelineId')
    const [from, to] = [time(parameters, 'StartOfJobCreatedTimeRange'), time(parameters, 'EndOfJobCreatedTimeRange')]
    const isWanted = (job: Job) =>
      job.kind === kind &&
      (state === 'All' || stateOf(job) === state) &&
      (!pipeline || job.pipelineId === pipeline) &&
      job.createdAt >= (from ?? 0) &&
      job.createdAt < (to ?? Number.POSITIVE_INFINITY)
    const all = store.jobs
      .all()
      .filter(isWanted)
      .sort((a, b) => b.seq - a.seq)
    const token = parameters.get('NextPageToken')
    const start = token ? all.findIndex(({ id }) => id === token) : 0
    if (start < 0) throw mpsError('InvalidParameter.ResourceNotFound', 'NextPageToken')
    const following = all[start + size]
    const items = all.slice(start, start + size).map((job) => view(job as Extract<Job, { kind: T }>))
    return { items, ...(following ? { NextPageToken: following.id } : {}) }
  }

  function query<T extends Job['kind'], V extends object>(
    kind: T,
    ids: readonly string[],
    view: (job: Extract<Job, { kind: T }>) => V,
  ) {
    const found = ids.map((id) => [id, store.jobs.get(id)] as const)
    const isIt = (job: Job | undefined): job is Extract<Job, { kind: T }> => job?.kind === kind
    const items = found
      .map(([, job]) => job)
      .filter(isIt)
      .map(view)
    return { items, missing: found.filter(([, job]) => !isIt(job)).map(([id]) => id) }
  }

  return {
    async SubmitJobs(parameters: URLSearchParams) {
      const requestId = randomUUID().toUpperCase()
      const input = ossFile(required(parameters, 'Input'), 'Input', region)
      const Bucket = bucketName(required(parameters, 'OutputBucket'))
      const Location = location(parameters.get('OutputLocation') || undefined, region)
      const outputs = jsonArray(required(parameters, 'Outputs'), 'Outputs')
      if (outputs.length === 0) throw mpsError('InvalidParameter.EmptyValue', 'Outputs')
      if (outputs.length > MOST_OUTPUTS) throw mpsError('InvalidParameter.ListSizeExceed', 'Outputs')
      const pipelineId = findPipeline(store, required(parameters, 'PipelineId')).id
      const job = { requestId, stage: 'submitted', input, pipelineId, createdAt: now() } as const
      const results: object[] = []
      for (const output of outputs) results.push(await submitOutput(output, job, { Bucket, Location }))
      return { RequestId: requestId, JobResultList: { JobResult: results } }
    },
    QueryJobList(parameters: URLSearchParams) {
      const { items, missing } = query('transcode', idList(parameters, 'JobIds'), transcodeView)
      return { JobList: { Job: items }, NonExistJobIds: { String: missing } }
    },
    ListJob(parameters: URLSearchParams) {
      const { items, ...rest } = list('transcode', parameters, (job) => TRANSCODE_STATES[job.stage], transcodeView)
      return { ...rest, JobList: { Job: items } }
    },
    async CancelJob(parameters: URLSearchParams) {
      const id = required(parameters, 'JobId')
      await engine.cancel(id)
      return { JobId: id }
    },
    async SubmitSnapshotJob(parameters: URLSearchParams) {
      const requestId = randomUUID().toUpperCase()
      const input = ossFile(required(parameters, 'Input'), 'Input', region)
      const config = readSnapshotConfig(required(parameters, 'SnapshotConfig'), region)
      const job: SnapshotJob = { ...newJob(input, requestId), ...common(parameters, store), kind: 'snapshot', config }
      const view = isSynchronous(config) ? await engine.runNow(job) : job
      if (view === job) await engine.submit(job)
      return { RequestId: requestId, SnapshotJob: snapshotView(view as SnapshotJob) }
    },
    QuerySnapshotJobList(parameters: URLSearchParams) {
      const ids = parameters.get('SnapshotJobIds')
      if (!ids) {
        const { items, ...rest } = list('snapshot', parameters, (job) => SNAPSHOT_STATES[job.stage], snapshotView)
        return { ...rest, SnapshotJobList: { SnapshotJob: items }, NonExistSnapshotJobIds: { String: [] } }
      }
      const { items, missing } = query('snapshot', idList(parameters, 'SnapshotJobIds'), snapshotView)
      return { SnapshotJobList: { SnapshotJob: items }, NonExistSnapshotJobIds: { String: missing } }
    },
    async SubmitMediaInfoJob(parameters: URLSearchParams) {
      const requestId = randomUUID().toUpperCase()
      const input = ossFile(required(parameters, 'Input'), 'Input', region)
      const async = parameters.get('Async')?.toLowerCase() === 'true'
      const job: MediaInfoJob = { ...newJob(input, requestId), ...common(parameters, store), kind: 'info', async }
      if (async) await engine.submit(job)
      const view = async ? job : await engine.runNow(job)
      return { RequestId: requestId, MediaInfoJob: infoView(view as MediaInfoJob) }
    },
    QueryMediaInfoJobList(parameters: URLSearchParams) {
      const { items, missing } = query('info', idList(parameters, 'MediaInfoJobIds'), infoView)
      return { MediaInfoJobList: { MediaInfoJob: items }, NonExistMediaInfoJobIds: { String: missing } }
    },
  }
}

function common(parameters: URLSearchParams, store: Store): { pipelineId?: string; userData?: string } {
  const pipelineId = parameters.get('PipelineId')
  const data = userData(parameters.get('UserData') || undefined)
  return {
    ...(pipelineId ? { pipelineId: findPipeline(store, pipelineId).id } : {}),
    ...(data === undefined ? {} : { userData: data }),
  }
}

function time(parameters: URLSearchParams, name: string): number | undefined {
  const text = parameters.get(name)
  if (!text) return undefined
  const ms = Date.parse(text)
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text) || Number.isNaN(ms))
    throw mpsError('InvalidParameter.Format', name)
  return ms
}

/**
 * The key of an output with the placeholders that are known filled in, and with the ending that playlists are given,
 * whatever the client has called them.
 */
function outputKey({ OutputObject, Container }: OutputSettings, input: OssFile): string {
  const source = decodeKey(input.Object)
  const slash = source.lastIndexOf('/') + 1
  const dot = source.lastIndexOf('.')
  const [name, ending] = dot > slash ? [source.slice(slash, dot), source.slice(dot + 1)] : [source.slice(slash), '']
  const key = decodeKey(OutputObject)
    .replaceAll('{ObjectPrefix}', source.slice(0, slash))
    .replaceAll('{FileName}', name)
    .replaceAll('{ExtName}', ending)
  return encodeKey(Container.Format === 'm3u8' ? `${key}.m3u8` : key)
}

const TRANSCODE_STATES = {
  submitted: 'Submitted',
  running: 'Transcoding',
  success: 'TranscodeSuccess',
  fail: 'TranscodeFail',
  cancelled: 'TranscodeCancelled',
} as const

const SNAPSHOT_STATES = {
  submitted: 'Submitted',
  running: 'Snapshoting',
  success: 'Success',
  fail: 'Fail',
  cancelled: 'Fail',
} as const

const INFO_STATES = { ...SNAPSHOT_STATES, submitted: 'Analyzing', running: 'Analyzing' } as const

function times({ createdAt, finishedAt }: Job): object {
  return { CreationTime: isoTime(createdAt), ...(finishedAt === undefined ? {} : { FinishTime: isoTime(finishedAt) }) }
}

function ending({ code = '', message = '', notified, pipelineId }: Job): object {
  return {
    Code: code,
    Message: message,
    ...(pipelineId === undefined ? {} : { PipelineId: pipelineId }),
    ...(notified ? { MNSMessageResult: notified } : {}),
  }
}

function transcodeView(job: TranscodeJob): object {
  const { OutputObject: _object, ...settings } = job.output
  return {
    JobId: job.id,
    Input: job.input,
    Output: {
      ...settings,
      OutputFile: job.outputFile,
      ...(job.properties ? { Properties: job.properties } : {}),
    },
    State: TRANSCODE_STATES[job.stage],
    Percent: job.stage === 'success' ? 100 : 0,
    ...ending(job),
    ...times(job),
  }
}

function snapshotView(job: SnapshotJob): object {
  return {
    Id: job.id,
    Input: job.input,
    SnapshotConfig: job.config,
    State: SNAPSHOT_STATES[job.stage],
    ...(job.count === undefined ? {} : { Count: String(job.count) }),
    ...(job.tileCount === undefined ? {} : { TileCount: String(job.tileCount) }),
    ...(job.userData === undefined ? {} : { UserData: job.userData }),
    ...ending(job),
    ...times(job),
  }
}

function infoView(job: MediaInfoJob): object {
  return {
    JobId: job.id,
    Input: job.input,
    Async: job.async,
    State: INFO_STATES[job.stage],
    ...(job.properties ? { Properties: job.properties } : {}),
    ...(job.userData === undefined ? {} : { UserData: job.userData }),
    ...ending(job),
    ...times(job),
  }
}
