import type { Objects } from '../../shared/cloud/oss.ts'
import type { Deps } from './on-task.ts'

/** Sources as ffmpeg reads them. */
export function openSources(objects: Pick<Objects, 'head' | 'presignGet'>): Deps['sources'] {
  return {
    url: async (key, lifeMs) => objects.presignGet(key, { expiresSeconds: Math.ceil(lifeMs / 1000) + 60 }),
    async head(key) {
      const found = await objects.head(key)
      return found && { etag: found.etag, sizeBytes: found.size }
    },
  }
}

/** Outputs, which are written once: a twin's object stays, and its size counts. */
export function openOutputs(objects: Pick<Objects, 'head' | 'put'>): Deps['outputs'] {
  return {
    async putNew(key, bytes, contentType) {
      const outcome = await objects.put(key, bytes, { contentType, forbidOverwrite: true, cacheControl: IMMUTABLE })
      if (outcome === 'stored') return { sizeBytes: bytes.length }
      const stored = await objects.head(key)
      if (!stored) throw new Error(`${key} exists but cannot be found`)
      return { sizeBytes: stored.size }
    },
  }
}

/** Keys hold the plan's id, so what is behind one never changes. */
const IMMUTABLE = 'public, max-age=31536000, immutable'
