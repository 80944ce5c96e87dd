import { type ChildProcess, spawn } from 'node:child_process'

/** Knows every running instance and kills them all should this process die without doing it itself. */
export interface Reaper {
  add(instance: { pid: number; instanceId: string }): void
  remove(pid: number): void
  close(): void
}

/** Starts the one process that watches this one; it costs nothing but its memory. */
export function startReaper(path: string): Reaper {
  const child: ChildProcess = spawn(process.execPath, [path], {
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  child.unref()
  child.channel?.unref()
  const send = (message: object) => {
    if (child.connected) child.send(message, () => {})
  }
  return {
    add: (instance) => send({ add: instance }),
    remove: (pid) => send({ remove: pid }),
    close() {
      if (child.connected) child.disconnect()
    },
  }
}
