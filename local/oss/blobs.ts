import { randomBytes } from 'node:crypto'
import { constants, createReadStream, mkdirSync } from 'node:fs'
import { copyFile, type FileHandle, link, open, readdir, rename, rm, unlink } from 'node:fs/promises'
import { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { type DiskHook, receive } from './receive.ts'
import { sendFile } from './send-file.ts'
import type { Tables } from './tables.ts'

/** Immutable bytes: a file, or an entry of the index where they are few; an object is a list of them. */
export interface Blob {
  readonly name: string
  readonly size: number
}

/** What a body turned out to be once it was on disk. */
export interface StoredBody {
  /** Empty for an empty body. */
  readonly blobs: readonly Blob[]
  readonly size: number
  readonly md5: Buffer
  readonly crc64: bigint
}

/** Where bytes are written to, with the back-pressure of a Node stream. */
export type Sink = NodeJS.WritableStream & { readonly destroyed: boolean }

/** What holds the bytes of objects. Keys of objects never become names of files. */
export interface Blobs {
  /** Stores a body; one that breaks off or is refused by `accept` leaves nothing behind. */
  write(body: AsyncIterable<Uint8Array>, accept: (stored: StoredBody) => void, maxBytes: number): Promise<StoredBody>
  /** Other names for the same bytes. */
  copy(blobs: readonly Blob[]): Promise<readonly Blob[]>
  /**
   * Runs a change of the index that names blobs which were just written or copied; resolves when their bytes are durable.
   * The blobs of a change that throws go.
   */
  commit<Result>(added: readonly Blob[], change: () => Result): Promise<Result>
  /** Keeps the bytes until released, so that an overwrite does not break a download. */
  pin(blobs: readonly Blob[]): () => void
  /** Removes bytes as soon as no one has them pinned. */
  drop(blobs: readonly Blob[]): void
  /** Bytes from `start` up to and including `end`. */
  read(blobs: readonly Blob[], start: number, end: number): AsyncIterable<Uint8Array>
  /** The same, written to a sink; the sink is left open. */
  send(blobs: readonly Blob[], start: number, end: number, sink: Sink): Promise<void>
  /** Removes everything that is not named; for the start, after a crash. */
  keepOnly(names: ReadonlySet<string>): Promise<void>
  /** Waits for removals that are under way. */
  settled(): Promise<void>
}

const READ_BYTES = 256 * 1024

/** Bodies up to this size stand in the index: one commit writes them and what names them, instead of a file of its own. */
const SMALL_BYTES = 16 * 1024

/** Names of files are hexadecimal. */
const SMALL = 's'

/** Opens the folder of blobs and makes it where it is missing. */
export function openBlobs(dir: string, tables: Pick<Tables, 'small' | 'transaction'>, disk?: DiskHook): Blobs {
  const temporary = join(dir, 'tmp')
  const shards = Array.from({ length: 256 }, (_, n) => n.toString(16).padStart(2, '0'))
  for (const folder of [temporary, ...shards.map((shard) => join(dir, shard))]) mkdirSync(folder, { recursive: true })
  const pins = new Map<string, number>()
  const doomed = new Set<string>()
  const removals = new Set<Promise<unknown>>()
  /** Bytes of small blobs that no commit has taken yet. */
  const uncommitted = new WeakMap<Blob, Buffer>()
  const newName = () => randomBytes(12).toString('hex')
  const pathOf = (name: string) => join(dir, name.slice(0, 2), name)
  const isSmall = ({ name }: Blob) => name.startsWith(SMALL)

  function remove(name: string): void {
    doomed.delete(name)
    const gone = isSmall({ name, size: 0 })
      ? tables.transaction(() => void tables.small.remove(name))
      : unlink(pathOf(name))
    // What cannot be removed now is something that nothing names: the next start tries again.
    const removal = gone.catch(() => {}).finally(() => removals.delete(removal))
    removals.add(removal)
  }

  function unpin(name: string): void {
    const left = (pins.get(name) ?? 1) - 1
    if (left > 0) return void pins.set(name, left)
    pins.delete(name)
    if (doomed.has(name)) remove(name)
  }

  function drop(blobs: readonly Blob[]): void {
    for (const { name } of blobs) {
      if (pins.has(name)) doomed.add(name)
      else remove(name)
    }
  }

  function keepInMemory(bytes: Buffer): Blob {
    const blob = { name: `${SMALL}${newName()}`, size: bytes.length }
    uncommitted.set(blob, bytes)
    return blob
  }

  function uncommittedBytes(blob: Blob): Buffer {
    const bytes = uncommitted.get(blob)
    if (bytes === undefined) throw new Error(`the bytes of ${blob.name} have not been written`)
    return bytes
  }

  function bytesOf({ name }: { readonly name: string }): Buffer {
    const bytes = tables.small.get(name)
    if (bytes === undefined) throw new Error(`the bytes of ${name} are gone`)
    return bytes
  }

  async function* read(blobs: readonly Blob[], start: number, end: number): AsyncGenerator<Uint8Array> {
    for (const { blob, start: from, end: to } of slices(blobs, start, end)) {
      if (isSmall(blob)) yield bytesOf(blob).subarray(from, to + 1)
      else yield* createReadStream(pathOf(blob.name), { start: from, end: to, highWaterMark: READ_BYTES })
    }
  }

  async function sendFiles(
    blobs: readonly Blob[],
    start: number,
    end: number,
    response: ServerResponse,
  ): Promise<void> {
    for (const { blob, start: from, end: to } of slices(blobs, start, end)) {
      if (isSmall(blob)) response.write(bytesOf(blob).subarray(from, to + 1))
      else await sendFile(pathOf(blob.name), from, to, response)
    }
  }

  return {
    drop,
    read,
    async write(body, accept, maxBytes) {
      const name = newName()
      const path = join(temporary, name)
      let file: FileHandle | undefined
      const openFile = async () => {
        file = await open(path, 'wx')
        return file
      }
      try {
        const { small, ...received } = await receive(body, { smallBytes: SMALL_BYTES, maxBytes, openFile, disk })
        const blob = small ? keepInMemory(small) : { name, size: received.size }
        const stored = { ...received, blobs: received.size === 0 ? [] : [blob] }
        accept(stored)
        // One commit is all three steps of a small body.
        if (small) disk?.('write')
        disk?.('fsync')
        await file?.sync()
        if (stored.size > 0) disk?.('rename')
        // Everything is on the disk, so closing takes its time beside the rest.
        await Promise.all([file?.close(), file && rename(path, pathOf(name))])
        return stored
      } catch (error) {
        await file?.close()
        await rm(path, { force: true })
        throw error
      }
    },
    async copy(blobs) {
      const copies: Blob[] = []
      for (const blob of blobs) {
        if (isSmall(blob)) {
          disk?.('write')
          copies.push(keepInMemory(bytesOf(blob)))
          continue
        }
        const name = newName()
        await linkOrCopy(pathOf(blob.name), pathOf(name))
        copies.push({ name, size: blob.size })
      }
      return copies
    },
    async commit(added, change) {
      const small = added.filter(isSmall)
      try {
        return await tables.transaction(() => {
          for (const blob of small) void tables.small.put(blob.name, uncommittedBytes(blob))
          return change()
        })
      } catch (error) {
        drop(added)
        throw error
      }
    },
    pin(blobs) {
      for (const { name } of blobs) pins.set(name, (pins.get(name) ?? 0) + 1)
      let held = true
      return () => {
        if (held) for (const { name } of blobs) unpin(name)
        held = false
      }
    },
    send: (blobs, start, end, sink) =>
      sink instanceof ServerResponse ? sendFiles(blobs, start, end, sink) : pour(read(blobs, start, end), sink),
    async keepOnly(names) {
      await removeAllBut(temporary, new Set())
      for (const shard of shards) await removeAllBut(join(dir, shard), names)
      const unnamed = [...tables.small.getKeys()].filter((name) => !names.has(name))
      await tables.transaction(() => unnamed.forEach((name) => void tables.small.remove(name)))
    },
    async settled() {
      await Promise.all(removals)
    },
  }
}

/** A second name costs nothing; file systems that have no links, or no more for this file, get a copy. */
async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? ''
    if (!['EMLINK', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(code)) throw error
    await copyFile(from, to, constants.COPYFILE_FICLONE)
  }
}

interface Slice {
  readonly blob: Blob
  readonly start: number
  readonly end: number
}

function slices(blobs: readonly Blob[], start: number, end: number): readonly Slice[] {
  const found: Slice[] = []
  let offset = 0
  for (const blob of blobs) {
    const from = Math.max(start - offset, 0)
    const to = Math.min(end - offset, blob.size - 1)
    if (from <= to) found.push({ blob, start: from, end: to })
    offset += blob.size
  }
  return found
}

/** Writes bytes as fast as the sink takes them, and no more when it is gone. */
async function pour(bytes: AsyncIterable<Uint8Array>, sink: Sink): Promise<void> {
  for await (const chunk of bytes) {
    if (sink.destroyed) return
    if (!sink.write(chunk)) await drained(sink)
  }
}

/** Resolves when the sink takes more, or is gone. */
function drained(sink: Sink): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      sink.off('drain', done)
      sink.off('close', done)
      resolve()
    }
    sink.once('drain', done)
    sink.once('close', done)
    if (sink.destroyed) done()
  })
}

async function removeAllBut(folder: string, names: ReadonlySet<string>): Promise<void> {
  for (const name of await readdir(folder)) if (!names.has(name)) await rm(join(folder, name), { force: true })
}
