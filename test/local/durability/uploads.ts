import type { Clients } from './killed-cloud.ts'
import type { Random } from './random.ts'

/** What is stored under a key; `undefined` when nothing is. */
export type Content = Buffer | undefined

/** One request of an object's story, and what is there once it has been answered. */
interface Step {
  readonly after: Content
  run(oss: Clients['oss']): Promise<unknown>
}

/** An object and what is known of it. */
export interface Stored {
  readonly key: string
  /** By the last answer. */
  known: Content
  /** By a request that was not answered; the same as `known` where there is none. */
  perhaps: Content
  readonly parts: Map<number, Buffer>
  readonly steps: Step[]
  at: number
}

const PART = 100 * 1024

/** Two hundred objects: put, put again, put and deleted, appended to, and made of parts. */
export function uploadsOf(random: Random, count: number): Stored[] {
  return Array.from({ length: count }, (_, number) => {
    const key = `objects/${String(number).padStart(4, '0')}`
    const stored: Stored = { key, known: undefined, perhaps: undefined, parts: new Map(), steps: [], at: 0 }
    stored.steps.push(...stepsOf(stored, random))
    return stored
  })
}

function stepsOf(stored: Stored, random: Random): Step[] {
  const kind = random.next()
  const body = () => random.bytes(random.next() < 0.05 ? 0 : random.between(1, 40_000))
  if (kind < 0.5) return [put(stored.key, body())]
  if (kind < 0.65) return [put(stored.key, body()), put(stored.key, body())]
  if (kind < 0.7) return [put(stored.key, body()), { after: undefined, run: (oss) => oss.delete(stored.key) }]
  if (kind < 0.85) return appends(stored.key, [body(), body(), body()])
  return multipart(stored, [random.bytes(PART), random.bytes(PART), random.bytes(random.between(1, PART))])
}

function put(key: string, bytes: Buffer): Step {
  return { after: bytes, run: (oss) => oss.put(key, bytes) }
}

function appends(key: string, chunks: readonly Buffer[]): Step[] {
  let before: Buffer = Buffer.alloc(0)
  return chunks.map((chunk) => {
    const position = before.length
    before = Buffer.concat([before, chunk])
    return { after: before, run: (oss) => oss.append(key, chunk, { position: String(position) }) }
  })
}

/** Parts that were answered are there whether or not the object is. */
function multipart({ key, parts }: Stored, bodies: readonly Buffer[]): Step[] {
  let uploadId = ''
  const etags = new Map<number, string>()
  const begin: Step = {
    after: undefined,
    async run(oss) {
      uploadId = (await oss.initMultipartUpload(key)).uploadId
    },
  }
  const uploads = bodies.map((body, index): Step => {
    const number = index + 1
    return {
      after: undefined,
      async run(oss) {
        const { etag } = await oss.uploadPart(key, uploadId, number, body as never, 0, body.length)
        etags.set(number, etag)
        parts.set(number, body)
      },
    }
  })
  const end: Step = {
    after: Buffer.concat(bodies),
    async run(oss) {
      const done = [...etags].map(([number, etag]) => ({ number, etag }))
      await oss.completeMultipartUpload(key, uploadId, done)
      parts.clear()
    },
  }
  return [begin, ...uploads, end]
}

/** Goes on with an object's story to its end, or until the cloud is gone. */
export async function goOn(stored: Stored, oss: Clients['oss'], answered: () => void): Promise<void> {
  for (;;) {
    const step = stored.steps[stored.at]
    if (!step) return
    stored.perhaps = step.after
    await step.run(oss)
    stored.known = step.after
    stored.at += 1
    answered()
  }
}

/** After a restart: what is there decides whether the request that was not answered had its effect. */
export function settle(stored: Stored, found: Content): void {
  const step = stored.steps[stored.at]
  const hadEffect = step !== undefined && !same(stored.known, step.after) && same(found, step.after)
  if (hadEffect) {
    stored.at += 1
    // Nothing is left of an upload that has become an object.
    stored.parts.clear()
  }
  stored.known = found
  stored.perhaps = found
}

export function same(one: Content, other: Content): boolean {
  return one === undefined || other === undefined ? one === other : one.equals(other)
}
