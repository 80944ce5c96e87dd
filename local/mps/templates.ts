import { mpsError } from './errors.ts'
import { idList, integerParameter, type Json, jsonObject, required } from './parameters.ts'
import { PRESETS } from './presets.ts'
import { isoTime, newId, type Store, type TemplateRecord } from './store.ts'

/** What a template says of its outputs; a section that is missing is not in the output. */
export interface TemplateSettings {
  readonly Container?: Json
  readonly Video?: Json
  readonly Audio?: Json
  readonly TransConfig?: Json
  readonly MuxConfig?: Json
}

export const SECTIONS = ['Container', 'Video', 'Audio', 'TransConfig', 'MuxConfig'] as const

/** What is done with templates. */
export function templateActions(store: Store, now: () => number) {
  function own(id: string): TemplateRecord {
    const record = store.templates.get(id)
    if (!record) throw mpsError('InvalidParameter.ResourceNotFound', id)
    return record
  }
  return {
    async AddTemplate(parameters: URLSearchParams) {
      const settings = readSections(parameters)
      const record = { id: newId(), name: readName(parameters), state: 'Normal', settings, createdAt: now() } as const
      await store.templates.put(record.id, record)
      return { Template: view(record) }
    },
    async UpdateTemplate(parameters: URLSearchParams) {
      const before = own(required(parameters, 'TemplateId'))
      const settings = { ...before.settings, ...readSections(parameters) }
      const record = { ...before, name: readName(parameters), settings }
      await store.templates.put(record.id, record)
      return { Template: view(record) }
    },
    async DeleteTemplate(parameters: URLSearchParams) {
      const record = own(required(parameters, 'TemplateId'))
      await store.templates.put(record.id, { ...record, state: 'Deleted' })
      return { TemplateId: record.id }
    },
    QueryTemplateList(parameters: URLSearchParams) {
      const found = idList(parameters, 'TemplateIds').map((id) => [id, lookUp(store, id)] as const)
      const missing = found.filter(([, record]) => !record).map(([id]) => id)
      const records = found.map(([, record]) => record).filter((record) => record !== undefined)
      return { TemplateList: { Template: records.map(view) }, NonExistTids: { String: missing } }
    },
    SearchTemplate(parameters: URLSearchParams) {
      const state = parameters.get('State') || 'All'
      const prefix = parameters.get('NamePrefix') ?? ''
      if (!['All', 'Normal', 'Deleted'].includes(state)) throw mpsError('InvalidParameter.InvalidState', 'State')
      const all = store.templates
        .all()
        .filter((record) => (state === 'All' || record.state === state) && record.name.startsWith(prefix))
        .sort((a, b) => b.createdAt - a.createdAt)
      const { page, ...rest } = paged(parameters, all)
      return { ...rest, TemplateList: { Template: page.map(view) } }
    },
  }
}

/** A template that a job can name; deleted ones are still known to whoever asks for them. */
export function lookUp(store: Store, id: string): TemplateRecord | undefined {
  const preset = PRESETS.get(id)
  if (preset) return { ...preset, state: 'Normal', createdAt: 0 }
  return store.templates.get(id)
}

/** The page of a list that a request asks for, and what it says of itself. */
export function paged<T>(parameters: URLSearchParams, all: readonly T[]) {
  const number = integerParameter(parameters, 'PageNumber', [1, 1_000_000], 1)
  const size = integerParameter(parameters, 'PageSize', [1, 100], 10)
  const page = all.slice((number - 1) * size, number * size)
  return { page, TotalCount: all.length, PageNumber: number, PageSize: size }
}

function readName(parameters: URLSearchParams): string {
  const name = required(parameters, 'Name')
  if (Buffer.byteLength(name) > 128) throw mpsError('InvalidParameter.OutOfRange', 'Name')
  return name
}

function readSections(parameters: URLSearchParams): TemplateSettings {
  const given = SECTIONS.filter((name) => parameters.get(name))
  return Object.fromEntries(given.map((name) => [name, asTexts(jsonObject(parameters.get(name), name))]))
}

/** Values are texts, however they were sent. */
export function asTexts(object: Json): Json {
  return Object.fromEntries(
    Object.entries(object).map(([name, value]) => {
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) return [name, asTexts(value as Json)]
      return [name, typeof value === 'number' || typeof value === 'boolean' ? String(value) : value]
    }),
  )
}

function view({ id, name, state, settings, createdAt }: TemplateRecord): object {
  return {
    Id: id,
    Name: name,
    State: state,
    Container: { Format: 'mp4' },
    ...settings,
    ...(createdAt === 0 ? {} : { CreationTime: isoTime(createdAt) }),
  }
}
