import { type HttpReply, type HttpRequest, toHttpEvent, toHttpReply } from './http-event.ts'
import {
  exitedUnexpectedly,
  type FunctionError,
  type Instance,
  type InstanceSetup,
  type Outcome,
  StartError,
  startProcess,
} from './instance.ts'

type FromChild =
  | { type: 'ready' | 'stopped' }
  | { type: 'failed'; error: FunctionError }
  | { type: 'result'; id: number; payload: Uint8Array }
  | { type: 'error'; id: number; thrown: boolean; error: FunctionError }

/** Starts an instance of a built-in Node.js runtime; resolves when the code is loaded and initialized. */
export async function startBuiltin(setup: InstanceSetup, runtimePath: string): Promise<Instance> {
  const { config } = setup
  const { child, pid, exited, kill, isUsable } = startProcess(
    setup,
    [process.execPath, ...setup.nodeArguments, runtimePath],
    {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      serialization: 'advanced',
    },
  )
  const pending = new Map<number, (outcome: Outcome) => void>()
  let nextId = 1
  child.on('message', (message) => settle(pending, message as FromChild))
  void exited.then(() => {
    for (const resolve of pending.values()) resolve(exitedUnexpectedly())
    pending.clear()
  })
  const ask = (message: object, timeoutS: number) => {
    if (child.connected) child.send(message, () => {})
    return answerOf(child, exited, timeoutS)
  }

  const started = await ask(loadMessage(setup), config.initializer?.timeoutS ?? 60)
  if (started !== undefined) {
    kill()
    throw new StartError(started)
  }

  const invoke = (requestId: string, payload: Buffer) =>
    new Promise<Outcome>((resolve) => {
      if (!child.connected) return resolve(exitedUnexpectedly())
      const id = nextId++
      pending.set(id, resolve)
      child.send({ type: 'invoke', id, payload, context: setup.context(requestId) }, () => {})
    })
  return {
    id: setup.id,
    pid,
    exited,
    kill,
    isUsable,
    invoke,
    async http(requestId: string, request: HttpRequest): Promise<HttpReply> {
      const context = { accountId: setup.accountId, now: setup.now() }
      return toHttpReply(await invoke(requestId, toHttpEvent(request, requestId, context)))
    },
    async preStop() {
      if (!config.preStop) return
      const failed = await ask({ type: 'pre-stop', context: setup.context('pre-stop') }, config.preStop.timeoutS)
      if (failed) setup.log(`preStop failed: ${failed.errorMessage}`)
    },
  }
}

function loadMessage({ codeDir, config, context }: InstanceSetup): object {
  return {
    type: 'load',
    codeDir,
    handler: config.handler,
    initializer: config.initializer?.handler,
    preStop: config.preStop?.handler,
    context: context('initialize'),
  }
}

function settle(pending: Map<number, (outcome: Outcome) => void>, message: FromChild): void {
  if (message.type !== 'result' && message.type !== 'error') return
  const resolve = pending.get(message.id)
  pending.delete(message.id)
  if (message.type === 'result') resolve?.({ ok: true, payload: Buffer.from(message.payload) })
  else {
    const kind = message.thrown ? 'UnhandledInvocationError' : 'HandledInvocationError'
    resolve?.({ ok: false, kind, error: message.error })
  }
}

/** Waits for the child's word on loading or stopping; `undefined` is success. */
function answerOf(
  child: {
    on(event: 'message', listener: (message: unknown) => void): unknown
    off: (event: 'message', listener: (message: unknown) => void) => unknown
  },
  exited: Promise<void>,
  timeoutS: number,
): Promise<FunctionError | undefined> {
  return new Promise((resolve) => {
    const finish = (error?: FunctionError) => {
      clearTimeout(timer)
      child.off('message', listen)
      resolve(error)
    }
    const listen = (message: unknown) => {
      const { type, ...rest } = message as FromChild
      if (type === 'ready' || type === 'stopped') finish()
      if (type === 'failed') finish((rest as { error: FunctionError }).error)
    }
    const timer = setTimeout(
      () => finish({ errorMessage: `Function is not ready after ${timeoutS} seconds`, errorType: 'FunctionTimedOut' }),
      timeoutS * 1000,
    )
    child.on('message', listen)
    void exited.then(() =>
      finish({ errorMessage: 'Process exited unexpectedly while starting', errorType: 'FunctionProcessExited' }),
    )
  })
}
