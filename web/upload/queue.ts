import { computed, reactive, watch, watchEffect } from 'vue'
import type { VideoView } from '../../shared/api.ts'
import { activity } from '../activity.ts'
import { poll } from '../poll.ts'
import { randomId } from '../random.ts'
import { call, username } from '../session.ts'
import { isSame, type Job, type Jobs, jobsOf } from './jobs.ts'
import { exclusively } from './lock.ts'
import { partSizeFor } from './parts.ts'
import { persistently } from './retry.ts'
import { retryOf } from './retry-page.ts'
import { type Granted, grantedBy, rightsOf } from './rights.ts'
import { isRunning, type Row, shareOf } from './row.ts'
import { speedometer } from './speed.ts'
import { transfer } from './transfer.ts'
import { beginUpload, cancelUpload, completeUpload, renewRights, uploadStatus } from './uploads-api.ts'

const MOST_AT_ONCE = 2
const SHOW_EVERY_MS = 200
const LOOK_AGAIN_MS = 2000
/** After these, the same upload cannot go on; a new one can. */
const OVER_CODES = new Set(['upload_closed', 'upload_not_found', 'source_not_accepted', 'unauthenticated'])

/** What a row needs and the page does not show. */
interface Backstage {
  /** The same for every try of this row, so that a lost answer does not make two uploads. */
  attempt: string
  file?: File
  job?: Job
  first?: Granted
  abort?: AbortController
}

class Stopped extends Error {}

/** The files of this visit, and those begun before; they go on while other pages are shown. */
export const rows = reactive<Row[]>([])

const backstage = new Map<number, Backstage>()
let jobs: Jobs = jobsOf('', localStorage)
let lastId = 0

watch(username, reopen, { immediate: true })

const running = computed(() => rows.filter(isRunning))
watchEffect(() => {
  const sum = (values: number[]) => values.reduce((total, value) => total + value, 0)
  const active = rows.filter((row) => isRunning(row) || row.state === 'queued')
  const size = sum(active.map((row) => row.size))
  const share = size > 0 ? sum(active.map((row) => shareOf(row) * row.size)) / size : 0
  activity.value = { running: running.value.length, share }
})
addEventListener('beforeunload', (event) => {
  if (running.value.length > 0) event.preventDefault()
})

/** Another user has other uploads. */
function reopen(owner: string | undefined): void {
  for (const row of rows) stop(row)
  rows.splice(0)
  backstage.clear()
  if (owner === undefined) return
  jobs = jobsOf(owner, localStorage)
  for (const job of jobs.all(Date.now())) {
    const row = newRow(job, { job, attempt: randomId() })
    Object.assign(row, { state: 'asleep', sent: job.storedBytes, playbackId: job.playbackId })
    void lookAfter(row, job)
  }
}

/** The bytes may have been complete when the page was closed; then no file is needed. */
async function lookAfter(row: Row, job: Job): Promise<void> {
  const state = await uploadStatus(job).then(
    (status) => status.state,
    (error: unknown) => (codeOf(error) === 'upload_not_found' ? 'expired' : 'waiting'),
  )
  if (row.state !== 'asleep') return
  if (state === 'done' || state === 'verifying') follow(row, job)
  else if (state !== 'waiting' && state !== 'uploading') remove(row)
}

/** Takes files in: one that was begun before goes on, the others are new. */
export function add(files: Iterable<File>): void {
  for (const file of files) {
    const sleeping = rows.find((row) => row.state === 'asleep' && isSame(row, file))
    if (sleeping) wake(sleeping, file)
    else if (!rows.some((row) => isSame(row, file) && row.state !== 'failed' && row.state !== 'ready')) enlist(file)
  }
}

function enlist(file: File): void {
  const row = newRow(file, { file, attempt: randomId() })
  if (file.size > 0) pump()
  else Object.assign(row, { state: 'failed', error: { code: 'empty' } })
}

/** Goes on with a file that was chosen again; answers `false` when it is another one. */
export function wake(row: Row, file: File): boolean {
  if (!isSame(row, file)) return false
  behind(row).file = file
  row.state = 'queued'
  pump()
  return true
}

export function pause(row: Row): void {
  stop(row)
  row.state = 'paused'
  pump()
}

/** Goes on after a pause or a failure. */
export function resume(row: Row): void {
  row.error = undefined
  row.state = behind(row).file ? 'queued' : 'asleep'
  pump()
}

/** Gives an upload up and frees what is stored of it. */
export function cancel(row: Row): void {
  stop(row)
  const { job } = behind(row)
  // What cannot be told now is found out by the server within a day.
  if (job) cancelUpload(job).catch(() => {})
  remove(row)
}

/** Takes a row off the list. */
export function remove(row: Row): void {
  const { job } = behind(row)
  if (job) jobs.remove(job.uploadId)
  backstage.delete(row.id)
  rows.splice(rows.indexOf(row), 1)
  pump()
}

function stop(row: Row): void {
  behind(row).abort?.abort(new Stopped())
}

function newRow(
  { name, size, lastModified }: { name: string; size: number; lastModified: number },
  behindIt: Backstage,
): Row {
  lastId += 1
  backstage.set(lastId, behindIt)
  rows.push({
    ...{ id: lastId, name, size, lastModified, state: 'queued', sent: 0, bytesPerSecond: 0, silent: false },
    ...{ error: undefined, playbackId: '', progress: 0, playable: false },
  })
  const row = rows.at(-1)
  if (!row) throw new Error('the row that was just added is gone')
  return row
}

function behind(row: Row): Backstage {
  return backstage.get(row.id) ?? { attempt: '' }
}

/** Starts what waits, in order. */
function pump(): void {
  for (const row of rows) {
    if (running.value.length >= MOST_AT_ONCE) return
    if (row.state === 'queued') void run(row)
  }
}

async function run(row: Row): Promise<void> {
  const me = behind(row)
  const { file } = me
  if (!file) return
  const abort = new AbortController()
  me.abort = abort
  Object.assign(row, { state: 'starting', silent: false, bytesPerSecond: 0 })
  try {
    const job = await begun(row, file, abort.signal)
    row.playbackId = job.playbackId
    await exclusively(`yunbo.upload.${job.uploadId}`, () => sendAll(row, job, file, abort.signal))
    follow(row, job)
  } catch (error) {
    if (!(error instanceof Stopped) && !abort.signal.aborted) fail(row, error)
  } finally {
    if (me.abort === abort) delete me.abort
    pump()
  }
}

function fail(row: Row, error: unknown): void {
  const me = behind(row)
  Object.assign(row, { state: 'failed', error, silent: false })
  if (OVER_CODES.has(codeOf(error))) beginAnew(me)
}

/** The next try is another upload. */
function beginAnew(me: Backstage): void {
  if (me.job) jobs.remove(me.job.uploadId)
  delete me.job
  delete me.first
  me.attempt = randomId()
}

async function begun(row: Row, file: File, signal: AbortSignal): Promise<Job> {
  const me = behind(row)
  if (me.job) return me.job
  const retry = { ...retryOf(signal, (silent) => (row.silent = silent)), onRefused: () => {} }
  const { data, serverNow } = await persistently(() => beginUpload(file, me.attempt, signal), retry)
  const { uploadId, uploadToken, videoId, playbackId, expiresAt } = data
  const job: Job = {
    ...{ uploadId, uploadToken, videoId, playbackId, storedBytes: 0, expiresAt: Date.parse(expiresAt) },
    ...{ name: file.name, size: file.size, lastModified: file.lastModified, partSizeBytes: partSizeFor(file.size) },
  }
  me.first = grantedBy(data, serverNow, performance.now())
  keep(me, job)
  return job
}

function keep(me: Backstage, job: Job): void {
  me.job = job
  jobs.save(job)
}

/** The vendor's client is loaded here, when the first byte is about to leave. */
async function sendAll(row: Row, job: Job, file: File, signal: AbortSignal): Promise<void> {
  const me = behind(row)
  const { storeOf } = await import('./oss.ts')
  const now = () => performance.now()
  const speed = speedometer()
  let shownAt = 0
  await transfer(job, file, {
    rights: rightsOf(me.first, () => renewRights(job, now), now),
    retry: retryOf(signal, (silent) => (row.silent = silent)),
    storeOf,
    complete: () => completeUpload(job),
    save: (changed) => keep(me, changed),
    onSent(bytes) {
      speed.note(bytes, now())
      if (now() - shownAt < SHOW_EVERY_MS && bytes < row.size) return
      shownAt = now()
      Object.assign(row, { state: 'sending', sent: bytes, bytesPerSecond: speed.rate(now()) })
    },
    onFinishing: () => Object.assign(row, { state: 'finishing', sent: row.size }),
  })
}

/** Watches the video until it is made, or cannot be. */
function follow(row: Row, job: Job): void {
  jobs.remove(job.uploadId)
  Object.assign(row, { state: 'processing', sent: row.size, silent: false })
  poll(() => lookAtVideo(row, job.videoId))
}

async function lookAtVideo(row: Row, videoId: string): Promise<number | undefined> {
  if (!rows.includes(row) || username.value === undefined) return undefined
  try {
    return showVideo(row, (await call<VideoView>('GET', `/v1/videos/${videoId}`)).data)
  } catch (error) {
    // It was deleted meanwhile.
    if (codeOf(error) === 'video_not_found') remove(row)
    return rows.includes(row) ? LOOK_AGAIN_MS * 2 : undefined
  }
}

/** Answers when to look again. */
function showVideo(row: Row, { status, progress, playable, error }: VideoView): number | undefined {
  Object.assign(row, { progress, playable })
  if (status === 'processing') return LOOK_AGAIN_MS
  if (status === 'errored') beginAnew(behind(row))
  Object.assign(row, status === 'ready' ? { state: 'ready' } : { state: 'failed', error })
  return undefined
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown }).code)
}
