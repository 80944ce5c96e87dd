import type { Instance } from './instance.ts'
import { killTrees } from './processes.mjs'

/** One running copy of a function, as seen from outside. */
export interface RunningInstance {
  readonly id: string
  readonly functionName: string
  readonly pid: number
  /** Kill -9, with everything that it has started. */
  kill(): void
  /** Kill -9 of what it has started (ffmpeg), not of itself. */
  killChildren(): void
}

/** Knows every running instance, and which of them a request to a service comes from. */
export interface Instances {
  all(): readonly RunningInstance[]
  /** Whose credentials these are. */
  byKey(accessKeyId: string): RunningInstance | undefined
  /** Notes credentials that an instance is given. */
  issued(accessKeyId: string, instanceId: string): void
  started(functionName: string, instance: Instance): void
}

/** Opens an empty register. */
export function openInstances(): Instances {
  const running = new Map<string, RunningInstance>()
  const keys = new Map<string, string>()
  return {
    all: () => [...running.values()],
    byKey: (accessKeyId) => running.get(keys.get(accessKeyId) ?? ''),
    issued: (accessKeyId, instanceId) => void keys.set(accessKeyId, instanceId),
    started(functionName, { id, pid, exited, kill }) {
      const killChildren = () => killTrees([{ pid, instanceId: id }], [pid])
      running.set(id, { id, functionName, pid, kill, killChildren })
      void exited.then(() => {
        running.delete(id)
        for (const [key, owner] of keys) if (owner === id) keys.delete(key)
      })
    },
  }
}
