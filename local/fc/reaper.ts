import { spawn } from 'node:child_process'
import type { Socket } from 'node:net'

/** Knows every running instance and kills them all should this process die without doing it itself. */
export interface Reaper {
  add(instance: { pid: number; instanceId: string }): void
  remove(pid: number): void
  close(): void
}

/** Starts the one process that watches this one; it costs nothing but its memory. */
export function startReaper(path: string): Reaper {
  const child = spawn(process.execPath, [path], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
  child.unref()
  // A reaper that somebody killed is missed only if this process is killed too.
  child.stdin.on('error', () => {})
  const pipe = child.stdin as unknown as Socket
  pipe.unref()
  const send = (message: object) => void child.stdin.write(`${JSON.stringify(message)}\n`)
  return {
    add: (instance) => send({ add: instance }),
    remove: (pid) => send({ remove: pid }),
    close: () => void child.stdin.end(),
  }
}
