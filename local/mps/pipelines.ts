import { mpsError } from './errors.ts'
import { idList, integerParameter, jsonObject, required, textOf } from './parameters.ts'
import { isoTime, type NotifyConfig, newId, type PipelineRecord, type Store } from './store.ts'
import { paged } from './templates.ts'

const SPEEDS = ['Boost', 'Standard', 'NarrowBandHDV2', 'AIVideoCover', 'AIVideoTag']
const DEFAULT_ROLE = 'AliyunMTSDefaultRole'

/** What is done with pipelines; `resumed` is told when one may run jobs again. */
export function pipelineActions(store: Store, now: () => number, resumed: () => void) {
  return {
    async AddPipeline(parameters: URLSearchParams) {
      const speed = parameters.get('Speed') || 'Standard'
      if (!SPEEDS.includes(speed)) throw mpsError('InvalidParameter.InvalidState', 'Speed')
      const record: PipelineRecord = {
        id: newId(),
        name: readName(parameters),
        state: 'Active',
        speed,
        speedLevel: integerParameter(parameters, 'SpeedLevel', [0, 3], 0),
        notify: readNotify(parameters.get('NotifyConfig')) ?? {},
        role: parameters.get('Role') || DEFAULT_ROLE,
        createdAt: now(),
      }
      await store.pipelines.put(record.id, record)
      return { Pipeline: view(record) }
    },
    async UpdatePipeline(parameters: URLSearchParams) {
      const before = findPipeline(store, required(parameters, 'PipelineId'))
      const state = required(parameters, 'State')
      if (state !== 'Active' && state !== 'Paused') throw mpsError('InvalidParameter.InvalidState', 'State')
      const record: PipelineRecord = {
        ...before,
        name: readName(parameters),
        state,
        notify: readNotify(parameters.get('NotifyConfig')) ?? before.notify,
        role: parameters.get('Role') || before.role,
      }
      await store.pipelines.put(record.id, record)
      if (state === 'Active') resumed()
      return { Pipeline: view(record) }
    },
    async DeletePipeline(parameters: URLSearchParams) {
      const { id } = findPipeline(store, required(parameters, 'PipelineId'))
      await store.pipelines.remove(id)
      return { PipelineId: id }
    },
    QueryPipelineList(parameters: URLSearchParams) {
      const found = idList(parameters, 'PipelineIds').map((id) => [id, store.pipelines.get(id)] as const)
      const missing = found.filter(([, record]) => !record).map(([id]) => id)
      const records = found.map(([, record]) => record).filter((record) => record !== undefined)
      return { PipelineList: { Pipeline: records.map(view) }, NonExistPids: { String: missing } }
    },
    SearchPipeline(parameters: URLSearchParams) {
      const state = parameters.get('State') || 'All'
      if (!['All', 'Active', 'Paused'].includes(state)) throw mpsError('InvalidParameter.InvalidState', 'State')
      const all = store.pipelines
        .all()
        .filter((record) => state === 'All' || record.state === state)
        .sort((a, b) => a.createdAt - b.createdAt)
      const { page, ...rest } = paged(parameters, all)
      return { ...rest, PipelineList: { Pipeline: page.map(view) } }
    },
  }
}

/** The pipeline of an id, or the service's refusal. */
export function findPipeline(store: Store, id: string): PipelineRecord {
  const record = store.pipelines.get(id)
  if (!record) throw mpsError('InvalidParameter.ResourceNotFound', id)
  return record
}

/** The pipeline that everybody has from the start; made when it is not there. */
export async function defaultPipeline(store: Store, now: () => number): Promise<string> {
  const [first] = [...store.pipelines.all()].sort((a, b) => a.createdAt - b.createdAt)
  if (first) return first.id
  const id = newId()
  const rest = { speed: 'Standard', speedLevel: 0, notify: {}, role: DEFAULT_ROLE, createdAt: now() }
  await store.pipelines.put(id, { id, name: 'mts-service-pipeline', state: 'Active', ...rest })
  return id
}

function readName(parameters: URLSearchParams): string {
  const name = required(parameters, 'Name')
  if (Buffer.byteLength(name) > 128) throw mpsError('InvalidParameter.OutOfRange', 'Name')
  return name
}

function readNotify(text: string | null): NotifyConfig | undefined {
  if (text === null || text === '') return undefined
  const object = jsonObject(text, 'NotifyConfig')
  const [topic, queue] = [textOf(object, 'Topic'), textOf(object, 'QueueName')]
  return { ...(topic ? { Topic: topic } : {}), ...(queue ? { QueueName: queue } : {}) }
}

function view({ id, name, state, speed, speedLevel, notify, role, createdAt }: PipelineRecord): object {
  return {
    Id: id,
    Name: name,
    State: state,
    Speed: speed,
    SpeedLevel: speedLevel,
    NotifyConfig: notify,
    Role: role,
    CreationTime: isoTime(createdAt),
  }
}
