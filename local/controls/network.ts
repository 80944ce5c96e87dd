import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import type { SocketShape } from '../wire/http.ts'

/** A link that connections share; without a rate, it does not slow anything. */
export interface Link {
  readonly shape: SocketShape
  /** Bytes a second in each direction. A connection at work keeps its speed; idle ones are closed, so that none stays. */
  setRate(bytesPerSecond: number): void
}

/** Opens a link of no limited rate. */
export function openLink(): Link {
  let rate = Number.POSITIVE_INFINITY
  const servers: { closeIdleConnections(): void }[] = []
  const lanes = { up: openLane(() => rate), down: openLane(() => rate) }
  return {
    shape: {
      through: (socket) => (rate === Number.POSITIVE_INFINITY ? socket : slowed(socket, lanes)),
      watch: (server) => void servers.push(server),
    },
    setRate(bytesPerSecond) {
      rate = bytesPerSecond
      for (const server of servers) server.closeIdleConnections()
    },
  }
}

/** Waits until it is a number of bytes' turn; what was promised to others comes first. */
type Lane = (bytes: number) => Promise<void> | undefined

function openLane(rate: () => number): Lane {
  let freeAt = 0
  return (bytes) => {
    if (rate() === Number.POSITIVE_INFINITY) return undefined
    freeAt = Math.max(performance.now(), freeAt) + (bytes / rate()) * 1000
    const waitMs = freeAt - performance.now()
    return new Promise((resolve) => setTimeout(resolve, waitMs).unref())
  }
}

/** Pieces in which bytes travel: at a low rate, a large one would come all at once and late. */
const PIECE_BYTES = 4096

function slowed(socket: Socket, { up, down }: { up: Lane; down: Lane }): Duplex {
  const duplex = new Duplex({
    read: () => void socket.resume(),
    write: (chunk: Buffer, _encoding, done) => void send(chunk).then(() => done(), done),
    final: (done) => void socket.end(done),
    destroy: (error, done) => {
      socket.destroy()
      done(error)
    },
  })

  async function send(chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
      const piece = chunk.subarray(at, at + PIECE_BYTES)
      await down(piece.length)
      if (socket.destroyed) throw new Error('the connection is gone')
      await new Promise<void>((resolve) => socket.write(piece, () => resolve()))
    }
  }

  socket.on('data', (chunk: Buffer) => {
    socket.pause()
    void Promise.resolve(up(chunk.length)).then(() => {
      if (!duplex.destroyed && duplex.push(chunk)) socket.resume()
    })
  })
  socket.on('end', () => duplex.push(null))
  socket.on('error', (error) => duplex.destroy(error))
  socket.on('close', () => duplex.destroy())
  socket.on('timeout', () => duplex.emit('timeout'))
  // What handlers ask a connection.
  Object.defineProperty(duplex, 'remoteAddress', { get: () => socket.remoteAddress })
  return duplex
}
