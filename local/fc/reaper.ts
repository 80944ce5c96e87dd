import { spawn } from 'node:child_process'
import type { Socket } from 'node:net'

/**
 * Knows what this process has started and kills all of it should this process die without doing it itself. What carries
 * its id as FC_INSTANCE_ID is told of before it is started, and again once it has a pid, which systems without /proc need.
 */
export interface Reaper {
  add(started: { instanceId: string; pid?: number }): void
  remove(instanceId: string): void
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
    add: (started) => send({ add: started }),
    remove: (instanceId) => send({ remove: instanceId }),
    close: () => void child.stdin.end(),
  }
}
