import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { crc64 } from './crc64.ts'

/** Called before each step of storing a body; what it throws, the step is taken to have failed with. */
export type DiskHook = (step: 'write' | 'fsync' | 'rename') => void

/** The body was longer than allowed. */
export class BodyTooLarge extends Error {}

/** A body that has been read to its end. */
export interface Received {
  readonly size: number
  readonly md5: Buffer
  readonly crc64: bigint
  /** All of it, where it was small enough; otherwise it is in the file. */
  readonly small: Buffer | undefined
}

export interface ReceiveOptions {
  /** Bodies up to this size are kept in memory. */
  readonly smallBytes: number
  readonly maxBytes: number
  /** Called once, for a body that is not small. */
  readonly openFile: () => Promise<FileHandle>
  readonly disk: DiskHook | undefined
}

/** Hashing runs while the disk writes what came before; no more than a few chunks wait in memory. */
export async function receive(body: AsyncIterable<Uint8Array>, options: ReceiveOptions): Promise<Received> {
  const md5 = createHash('md5')
  const checksum = crc64()
  const held: Uint8Array[] = []
  let writer: ChunkWriter | undefined
  let size = 0
  try {
    for await (const chunk of body) {
      size += chunk.length
      if (size > options.maxBytes) throw new BodyTooLarge()
      held.push(chunk)
      if (size > options.smallBytes) writer ??= chunkWriter(options.openFile(), options.disk)
      const full = writer?.add(held.splice(0)) ?? false
      md5.update(chunk)
      checksum.update(chunk)
      if (full) await writer?.done()
    }
  } finally {
    await writer?.done()
  }
  return { size, md5: md5.digest(), crc64: checksum.value(), small: writer ? undefined : Buffer.concat(held) }
}

const WAITING_BYTES = 1024 * 1024

interface ChunkWriter {
  /** Takes chunks; true when the writer should be waited for. */
  add(chunks: readonly Uint8Array[]): boolean
  /** Resolves when everything is written. */
  done(): Promise<void>
}

/** Appends chunks in order; what comes while a write is under way goes with the next one. */
function chunkWriter(file: Promise<FileHandle>, disk: DiskHook | undefined): ChunkWriter {
  let waiting: Uint8Array[] = []
  let bytes = 0
  let running: Promise<void> | undefined

  async function run(): Promise<void> {
    const handle = await file
    while (waiting.length > 0) {
      const batch = waiting
      waiting = []
      bytes = 0
      disk?.('write')
      await writeAll(handle, batch)
    }
    running = undefined
  }

  return {
    add(chunks) {
      for (const chunk of chunks) {
        waiting.push(chunk)
        bytes += chunk.length
      }
      if (running === undefined) {
        running = run()
        // A failure stays in the promise for whoever waits next; without this it would also count as unhandled.
        running.catch(() => {})
      }
      return bytes > WAITING_BYTES
    },
    done: async () => await running,
  }
}

async function writeAll(file: FileHandle, chunks: readonly Uint8Array[]): Promise<void> {
  const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  const { bytesWritten } = await file.writev(chunks)
  if (bytesWritten === total) return
  // A short write is rare (a nearly full disk); the rest goes in one piece.
  const rest = Buffer.concat(chunks).subarray(bytesWritten)
  for (let at = 0; at < rest.length; ) at += (await file.write(rest, at)).bytesWritten
}
