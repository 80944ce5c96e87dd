import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { PlannedTask } from '../../shared/plan.ts'
import type { StoredRun } from '../../shared/tables/segments.ts'
import { TaskFailure } from '../../shared/video-errors.ts'
import type { Run } from './ffmpeg.ts'

const POLL_MS = 150
const LIST_EVERY_MS = 4000
const PARALLEL_UPLOADS = 3
/** With this many finished files waiting, ffmpeg is stopped until they are gone: a copy is faster than any upload. */
const MAX_WAITING = 48

export interface ShipDeps {
  /** Checks and stores one finished segment; gives the size that is stored. */
  store(rendition: string, index: number, bytes: Uint8Array): Promise<number>
  /** Makes stored segments visible. */
  list(runs: readonly StoredRun[]): Promise<void>
  now(): number
}

export interface Shipment {
  readonly dir: string
  readonly task: PlannedTask
  /** How far the number of a file is ahead of its segment's. */
  readonly fileOffset: number
}

/** Stores every segment as soon as ffmpeg has closed it, and lists what is stored without a gap; ends with the run. */
export async function ship(run: Run, shipment: Shipment, deps: ShipDeps): Promise<string> {
  const ended = new AbortController()
  const end = () => ended.abort()
  run.done.then(end, end)
  const shelves = shipment.task.renditions.map((rendition) => new Shelf(rendition, shipment))
  const lister = makeLister(shelves, deps)
  try {
    while (!ended.signal.aborted) {
      await shipClosed(run, shelves, deps, 1)
      await lister.listIfDue()
      await pause(POLL_MS, undefined, { signal: ended.signal }).catch(() => undefined)
    }
    const said = await run.done
    await shipClosed(run, shelves, deps, 0)
    return said
  } finally {
    // What is stored stays stored, whether or not the attempt goes on.
    await lister.listAll()
  }
}

/** Throws unless every planned segment of the task has been stored. */
function assertAll(shelves: readonly Shelf[]): void {
  for (const shelf of shelves) {
    if (shelf.sizes.length < shelf.wanted) {
      const what = `Segment ${shelf.sizes.length} of ${shelf.rendition} was not made.`
      throw new TaskFailure('output_incomplete', what)
    }
  }
}

/** The files of one rendition: those that wait and those that are stored. */
class Shelf {
  readonly rendition: string
  readonly firstSegment: number
  readonly wanted: number
  readonly sizes: number[] = []
  listed = 0
  readonly #dir: string
  readonly #offset: number

  constructor(rendition: string, { dir, task, fileOffset }: Shipment) {
    this.rendition = rendition
    this.firstSegment = task.firstSegment
    this.wanted = task.segmentCount
    this.#dir = join(dir, rendition)
    this.#offset = fileOffset
  }

  get stored(): StoredRun {
    return { rendition: this.rendition, firstSegment: this.firstSegment, sizesBytes: [...this.sizes] }
  }

  file(segment: number): string {
    return join(this.#dir, `${segment - this.firstSegment + this.#offset}.ts`)
  }

  /** Segments whose files are finished; the last file is still open while `open` is 1. */
  async closed(open: number): Promise<number[]> {
    const numbers = (await readdir(this.#dir)).map((name) => Number.parseInt(name, 10)).filter(Number.isFinite)
    const highest = Math.max(-1, ...numbers) - open - this.#offset
    const first = this.sizes.length
    return Array.from({ length: Math.max(0, highest - first + 1) }, (_, at) => this.firstSegment + first + at)
  }
}

async function shipClosed(run: Run, shelves: readonly Shelf[], deps: ShipDeps, open: number): Promise<void> {
  const waiting = await Promise.all(shelves.map((shelf) => shelf.closed(open)))
  const many = open > 0 && waiting.flat().length > MAX_WAITING
  if (many) run.pause()
  // Renditions advance together, since the slowest decides what can be watched.
  const longest = Math.max(0, ...waiting.map((segments) => segments.length))
  for (let at = 0; at < longest; at += 1) {
    const jobs = shelves.flatMap((shelf, which) => {
      const segment = waiting[which]?.[at]
      return segment === undefined ? [] : [() => storeOne(shelf, segment, deps)]
    })
    for (let from = 0; from < jobs.length; from += PARALLEL_UPLOADS) {
      await Promise.all(jobs.slice(from, from + PARALLEL_UPLOADS).map((job) => job()))
    }
  }
  if (many) run.resume()
  if (open === 0) assertAll(shelves)
}

async function storeOne(shelf: Shelf, segment: number, deps: ShipDeps): Promise<void> {
  const file = shelf.file(segment)
  const bytes = await readFile(file)
  shelf.sizes.push(await deps.store(shelf.rendition, segment, bytes))
  await rm(file)
}

/** Rows are written at a rendition's first and second segment, then at most every four seconds. */
function makeLister(shelves: readonly Shelf[], deps: ShipDeps) {
  let listedAt = Number.NEGATIVE_INFINITY
  const listAll = async () => {
    const changed = shelves.filter((shelf) => shelf.sizes.length > shelf.listed)
    if (changed.length === 0) return
    listedAt = deps.now()
    const stored = changed.map((shelf) => shelf.stored)
    await deps.list(stored)
    for (const [at, shelf] of changed.entries()) shelf.listed = stored[at]?.sizesBytes.length ?? shelf.listed
  }
  const listIfDue = async () => {
    const early = shelves.some((shelf) => shelf.listed < 2 && shelf.sizes.length > shelf.listed)
    if (early || deps.now() - listedAt >= LIST_EVERY_MS) await listAll()
  }
  return { listAll, listIfDue }
}
