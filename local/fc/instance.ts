import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { FunctionConfig } from './function-config.ts'
import type { HttpReply, HttpRequest } from './http-event.ts'
import { killTrees } from './processes.mjs'
import type { Reaper } from './reaper.ts'

/** What the caller of a failed function sees. */
export interface FunctionError {
  readonly errorMessage: string
  readonly errorType: string
  readonly stackTrace?: readonly string[]
}

/** How an invocation ended; the kinds are the values of `X-Fc-Error-Type`. */
export type Outcome =
  | { readonly ok: true; readonly payload: Buffer }
  | {
      readonly ok: false
      readonly kind: 'HandledInvocationError' | 'UnhandledInvocationError'
      readonly error: FunctionError
    }

/** One running copy of a function. */
export interface Instance {
  readonly id: string
  readonly pid: number
  invoke(requestId: string, payload: Buffer): Promise<Outcome>
  http(requestId: string, request: HttpRequest): Promise<HttpReply>
  /** Runs the preStop hook if there is one; the caller kills afterwards. */
  preStop(): Promise<void>
  /** Kills the instance with everything that it has started. */
  kill(): void
  /** `false` once it was killed or has ended by itself. */
  isUsable(): boolean
  /** Resolves when the process is gone. */
  readonly exited: Promise<void>
}

/** Everything a runtime needs to start an instance. */
export interface InstanceSetup {
  readonly id: string
  readonly config: FunctionConfig
  readonly codeDir: string
  readonly environment: Readonly<Record<string, string>>
  readonly reaper: Reaper
  readonly accountId: string
  now(): number
  /** `/code`, `/opt` and the node path, as they are on this machine. */
  rewrite(text: string): string
  /** How node is started so that it sees the local cloud's time. */
  readonly nodeArguments: readonly string[]
  /** The handler's second argument. */
  context(requestId: string): object
  /** Headers that tell a custom runtime what the context tells a built-in one. */
  contextHeaders(requestId: string): Record<string, string>
  log(line: string): void
}

/** A function's code that could not be started. */
export class StartError extends Error {
  readonly detail: FunctionError
  constructor(detail: FunctionError) {
    super(detail.errorMessage)
    this.name = 'StartError'
    this.detail = detail
  }
}

/** A process with the means to end it. */
export interface StartedProcess extends Pick<Instance, 'pid' | 'exited' | 'kill' | 'isUsable'> {
  readonly child: ChildProcess
}

/** A process of its own session, whose output goes to the function's log and whose end is noticed. */
export function startProcess(
  setup: InstanceSetup,
  [command, ...args]: readonly string[],
  options: Pick<SpawnOptions, 'stdio' | 'serialization'>,
): StartedProcess {
  const { id, codeDir, environment, reaper } = setup
  reaper.add({ instanceId: id })
  const child = spawn(command ?? '', args, { ...options, cwd: codeDir, env: environment, detached: true })
  const { pid } = child
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', (error) => {
      setup.log(`cannot start ${command}: ${error.message}`)
      resolve()
    })
  })
  for (const stream of [child.stdout, child.stderr]) {
    if (stream) createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', setup.log)
  }
  if (pid === undefined) {
    reaper.remove(id)
    return { child, pid: 0, exited, kill() {}, isUsable: () => false }
  }
  reaper.add({ pid, instanceId: id })
  let usable = true
  const kill = () => {
    usable = false
    killTrees([{ pid, instanceId: id }])
  }
  void exited.then(() => {
    // The process may have ended by itself and left children behind.
    kill()
    reaper.remove(id)
  })
  return { child, pid, exited, kill, isUsable: () => usable }
}

/** The outcome of a process that went away under a request. */
export function exitedUnexpectedly(): Outcome {
  const errorMessage = 'Process exited unexpectedly before completing request'
  return { ok: false, kind: 'UnhandledInvocationError', error: { errorMessage, errorType: 'FunctionProcessExited' } }
}
