import { createHash, randomBytes } from 'node:crypto'
import { constants, createReadStream, mkdirSync } from 'node:fs'
import { copyFile, type FileHandle, link, open, readdir, rename, rm, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { crc64 } from './crc64.ts'

/** An immutable file of bytes; an object is a list of them. */
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

/** The files that hold the bytes of objects. Keys of objects never become names of files. */
export interface Blobs {
  /** Stores a body durably; a body that breaks off or is refused by `accept` leaves nothing behind. */
  write(body: AsyncIterable<Uint8Array>, accept: (stored: StoredBody) => void, maxBytes: number): Promise<StoredBody>
  /** Other names for the same bytes. */
  copy(blobs: readonly Blob[]): Promise<readonly Blob[]>
  /** Keeps the files until released, so that an overwrite does not break a download. */
  pin(blobs: readonly Blob[]): () => void
  /** Removes files as soon as no one has them pinned. */
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

/** Called before each step of storing a body; what it throws, the step is taken to have failed with. */
export type DiskHook = (step: 'write' | 'fsync' | 'rename') => void

/** The body was longer than allowed. */
export class BodyTooLarge extends Error {}

const READ_BYTES = 256 * 1024

/**
 * Opens the folder of blobs and makes it where it is missing. Files are removed when `flushed` says that nothing on the
 * disk names them any more: a loss of power may undo the change that displaced them.
 */
export function openBlobs(dir: string, disk?: DiskHook, flushed: () => Promise<unknown> = async () => {}): Blobs {
  const temporary = join(dir, 'tmp')
  const shards = Array.from({ length: 256 }, (_, n) => n.toString(16).padStart(2, '0'))
  for (const folder of [temporary, ...shards.map((shard) => join(dir, shard))]) mkdirSync(folder, { recursive: true })
  const pins = new Map<string, number>()
  const doomed = new Set<string>()
  const removals = new Set<Promise<void>>()
  const newName = () => randomBytes(12).toString('hex')
  const pathOf = (name: string) => join(dir, name.slice(0, 2), name)

  function remove(name: string): void {
    doomed.delete(name)
    // A file that cannot be removed now is one that nothing names: the next start tries again.
    const removal = flushed()
      .then(() => unlink(pathOf(name)))
      .catch(() => {})
      .finally(() => removals.delete(removal))
    removals.add(removal)
  }

  function unpin(name: string): void {
    const left = (pins.get(name) ?? 1) - 1
    if (left > 0) return void pins.set(name, left)
    pins.delete(name)
    if (doomed.has(name)) remove(name)
  }

  async function* read(blobs: readonly Blob[], start: number, end: number) {
    for (const slice of slices(blobs, start, end)) yield* streamOf(slice)
  }

  const streamOf = (slice: Slice): AsyncIterable<Buffer> =>
    createReadStream(pathOf(slice.name), { start: slice.start, end: slice.end, highWaterMark: READ_BYTES })

  return {
    async write(body, accept, maxBytes) {
      const name = newName()
      const path = join(temporary, name)
      const file = await open(path, 'wx')
      try {
        const stored = await receive(body, file, name, maxBytes, disk)
        accept(stored)
        disk?.('fsync')
        await file.sync()
        if (stored.size > 0) disk?.('rename')
        // Everything is on the disk, so closing takes its time beside the rest.
        await Promise.all([file.close(), stored.size === 0 ? unlink(path) : rename(path, pathOf(name))])
        return stored
      } catch (error) {
        await file.close()
        await rm(path, { force: true })
        throw error
      }
    },
    async copy(blobs) {
      const copies: Blob[] = []
      for (const blob of blobs) {
        const name = newName()
        await linkOrCopy(pathOf(blob.name), pathOf(name))
        copies.push({ name, size: blob.size })
      }
      return copies
    },
    pin(blobs) {
      for (const { name } of blobs) pins.set(name, (pins.get(name) ?? 0) + 1)
      let held = true
      return () => {
        if (held) for (const { name } of blobs) unpin(name)
        held = false
      }
    },
    drop(blobs) {
      for (const { name } of blobs) {
        if (pins.has(name)) doomed.add(name)
        else remove(name)
      }
    },
    read,
    async send(blobs, start, end, sink) {
      for await (const chunk of read(blobs, start, end)) {
        if (sink.destroyed) return
        if (!sink.write(chunk)) await drained(sink)
      }
    },
    async keepOnly(names) {
      await removeAllBut(temporary, new Set())
      for (const shard of shards) await removeAllBut(join(dir, shard), names)
    },
    async settled() {
      await Promise.all(removals)
    },
  }
}

/** Hashing runs while the disk writes what came before; no more than a few chunks wait in memory. */
async function receive(
  body: AsyncIterable<Uint8Array>,
  file: FileHandle,
  name: string,
  maxBytes: number,
  disk: DiskHook | undefined,
): Promise<StoredBody> {
  const md5 = createHash('md5')
  const checksum = crc64()
  const writer = chunkWriter(file, disk)
  let size = 0
  try {
    for await (const chunk of body) {
      size += chunk.length
      if (size > maxBytes) throw new BodyTooLarge()
      const full = writer.add(chunk)
      md5.update(chunk)
      checksum.update(chunk)
      if (full) await writer.done()
    }
  } finally {
    await writer.done()
  }
  return { blobs: size === 0 ? [] : [{ name, size }], size, md5: md5.digest(), crc64: checksum.value() }
}

const WAITING_BYTES = 1024 * 1024

interface ChunkWriter {
  /** Takes a chunk; true when the writer should be waited for. */
  add(chunk: Uint8Array): boolean
  /** Resolves when everything is written. */
  done(): Promise<void>
}

/** Appends chunks in order; what comes while a write is under way goes with the next one. */
function chunkWriter(file: FileHandle, disk: DiskHook | undefined): ChunkWriter {
  let waiting: Uint8Array[] = []
  let bytes = 0
  let running: Promise<void> | undefined

  async function run(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting
      waiting = []
      bytes = 0
      disk?.('write')
      await writeAll(file, batch)
    }
    running = undefined
  }

  return {
    add(chunk) {
      waiting.push(chunk)
      bytes += chunk.length
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
  readonly name: string
  readonly start: number
  readonly end: number
}

function slices(blobs: readonly Blob[], start: number, end: number): readonly Slice[] {
  const found: Slice[] = []
  let offset = 0
  for (const { name, size } of blobs) {
    const from = Math.max(start - offset, 0)
    const to = Math.min(end - offset, size - 1)
    if (from <= to) found.push({ name, start: from, end: to })
    offset += size
  }
  return found
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
