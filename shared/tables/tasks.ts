import type { TaskKind } from '../plan.ts'
import type { VideoError } from '../video-errors.ts'
import { type Row, type TableClient, type Test, winWrite } from './client.ts'

export type TaskState = 'queued' | 'running' | 'done' | 'failed'

/** One piece of work and the attempt that is at it. */
export interface Task {
  readonly mediaId: string
  readonly taskId: string
  readonly planId: string
  readonly kind: TaskKind
  readonly state: TaskState
  /** Starts at 1; raised before the next attempt is dispatched. */
  readonly attempt: number
  /** The highest attempt that is known to be over without success; below `attempt` while one may still run. */
  readonly endedAttempt: number
  readonly leaseOwner: string
  /** Milliseconds since the epoch; 0 when nobody holds the task. A failed task keeps the lease that it was ended in. */
  readonly leaseUntil: number
  /** When this attempt was handed to Function Compute; 0 before. */
  readonly dispatchedAt: number
  readonly error: VideoError | undefined
}

export type NewTask = Pick<Task, 'mediaId' | 'taskId' | 'planId' | 'kind'>
/** Names one attempt of one task. */
export type Attempt = Pick<Task, 'mediaId' | 'taskId' | 'attempt'>

export interface TasksTable {
  create(task: NewTask): Promise<boolean>
  all(mediaId: string): Promise<Task[]>
  /** Starts the next attempt; false when somebody else did, or the task is over. */
  raise(task: Attempt): Promise<boolean>
  /** Starts the next attempt of a task that was ended because its video was deleted, and is not any more. */
  revive(task: Attempt): Promise<boolean>
  /** Notes when Function Compute first took this attempt; a repeat changes nothing. */
  dispatched(task: Attempt, at: number): Promise<boolean>
  /**
   * Takes the task for a worker; false when the attempt is over or another worker holds it. Owners are named
   * `{invocation}:{worker}`: an invocation that is delivered again takes over from its own earlier delivery, which is
   * gone, or is stopped by its next renewal. Its lease would otherwise outlive it and nobody come back for the task.
   */
  claim(task: Attempt, owner: string, leaseUntil: number, now: number): Promise<boolean>
  /** Keeps it; false means: stop working. */
  renew(task: Attempt, owner: string, leaseUntil: number): Promise<boolean>
  finish(task: Attempt, owner: string): Promise<boolean>
  /** Ends a task as done whose result is known to exist, though its worker did not live to say so. */
  settle(task: Attempt): Promise<boolean>
  /** Gives up one attempt of one's own; `final` ends the task for good. */
  giveUp(task: Attempt, owner: string, error: VideoError, final: boolean): Promise<boolean>
  /** Ends an attempt whose worker is known to be gone. */
  endAttempt(task: Attempt, error: VideoError): Promise<boolean>
  /** Ends the task for good, whoever holds it: the next renewal of its worker is refused. */
  fail(task: Attempt, error: VideoError): Promise<boolean>
}

export function tasksTable(client: TableClient): TasksTable {
  const change = (task: Attempt, tests: readonly Test[], update: Record<string, string | number>) =>
    winWrite(client, { table: 'tasks', key: keyOf(task), expect: [...unfinished, ...tests], update })
  const held = (task: Attempt, owner: string): Test[] => [
    { column: 'attempt', op: '=', value: task.attempt },
    { column: 'lease_owner', op: '=', value: owner },
  ]
  return {
    create: (task) =>
      winWrite(client, {
        table: 'tasks',
        key: keyOf(task),
        expect: 'absent',
        put: { ...fresh, plan_id: task.planId, kind: task.kind },
      }),
    async all(mediaId) {
      const { rows } = await client.range({
        table: 'tasks',
        prefix: [['media_id', mediaId]],
        keyColumns: ['media_id', 'task_id'],
      })
      return rows.map(fromRow)
    },
    raise: (task) =>
      change(task, [{ column: 'attempt', op: '=', value: task.attempt }], {
        ...free,
        attempt: task.attempt + 1,
        ended_attempt: task.attempt,
        dispatched_at: 0,
      }),
    revive: (task) =>
      winWrite(client, {
        table: 'tasks',
        key: keyOf(task),
        expect: [
          { column: 'state', op: '=', value: 'failed' },
          { column: 'attempt', op: '=', value: task.attempt },
        ],
        update: { ...free, attempt: task.attempt + 1, ended_attempt: task.attempt, dispatched_at: 0, error: '' },
      }),
    dispatched: (task, at) =>
      change(
        task,
        [
          { column: 'attempt', op: '=', value: task.attempt },
          { column: 'dispatched_at', op: '=', value: 0 },
        ],
        { dispatched_at: at },
      ),
    async claim(task, owner, leaseUntil, now) {
      const take = (free: Test) =>
        change(task, [...open(task), free], { state: 'running', lease_owner: owner, lease_until: leaseUntil })
      if (await take({ column: 'lease_until', op: '<', value: now })) return true
      const row = await client.get('tasks', keyOf(task))
      const holder = String(row?.lease_owner ?? '')
      const isOurs = holder !== owner && invocationOf(holder) === invocationOf(owner)
      return isOurs && (await take({ column: 'lease_owner', op: '=', value: holder }))
    },
    renew: (task, owner, leaseUntil) => change(task, held(task, owner), { lease_until: leaseUntil }),
    finish: (task, owner) => change(task, held(task, owner), { state: 'done', lease_until: 0, error: '' }),
    settle: (task) => change(task, [], { lease_until: 0, state: 'done', error: '' }),
    giveUp: (task, owner, error, final) =>
      change(task, held(task, owner), {
        ...free,
        state: final ? 'failed' : 'queued',
        ended_attempt: task.attempt,
        error: JSON.stringify(error),
      }),
    endAttempt: (task, error) =>
      change(task, open(task), { ...free, ended_attempt: task.attempt, error: JSON.stringify(error) }),
    fail: (task, error) =>
      // When its lease ends stays known: until then, a worker that has not noticed may still be storing things.
      change(task, [{ column: 'attempt', op: '=', value: task.attempt }], {
        state: 'failed',
        lease_owner: '',
        error: JSON.stringify(error),
      }),
  }
}

const free = { state: 'queued', lease_owner: '', lease_until: 0 }
const fresh = { ...free, attempt: 1, ended_attempt: 0, dispatched_at: 0, error: '' }
const unfinished: readonly Test[] = [
  { column: 'state', op: '!=', value: 'done' },
  { column: 'state', op: '!=', value: 'failed' },
]

/** This attempt is the latest and has not ended. */
function open(task: Attempt): Test[] {
  return [
    { column: 'attempt', op: '=', value: task.attempt },
    { column: 'ended_attempt', op: '<', value: task.attempt },
  ]
}

function invocationOf(owner: string): string {
  return owner.split(':')[0] ?? ''
}

function keyOf(task: { mediaId: string; taskId: string }) {
  return [
    ['media_id', task.mediaId],
    ['task_id', task.taskId],
  ] as const
}

function fromRow(row: Row): Task {
  const error = String(row.error ?? '')
  return {
    mediaId: String(row.media_id),
    taskId: String(row.task_id),
    planId: String(row.plan_id),
    kind: String(row.kind) as TaskKind,
    state: String(row.state) as TaskState,
    attempt: Number(row.attempt),
    endedAttempt: Number(row.ended_attempt),
    leaseOwner: String(row.lease_owner),
    leaseUntil: Number(row.lease_until),
    dispatchedAt: Number(row.dispatched_at),
    error: error === '' ? undefined : (JSON.parse(error) as VideoError),
  }
}
