import { type FileHandle, open } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'

const BUFFER_BYTES = 256 * 1024
const MAX_IDLE = 32

/** Buffers that nobody uses: new ones of this size cost as much as reading into them. */
const idle: Buffer[] = []

/**
 * Sends bytes of a file up to and including `end`: while some are on their way, the next are read. An answer, unlike other
 * streams, says when it is done with a buffer, which is then used again. Stops when the client has gone.
 */
export async function sendFile(path: string, start: number, end: number, response: ServerResponse): Promise<void> {
  const lanes = Array.from({ length: 2 }, () => ({ buffer: takeBuffer(), written: Promise.resolve() }))
  const gone = goneOf(response)
  const file = await open(path)
  try {
    let position = start
    for (let turn = 0; position <= end && !response.destroyed; turn += 1) {
      const lane = lanes[turn % 2]
      if (!lane) return
      await Promise.race([lane.written, gone.happened])
      const bytes = await fill(file, lane.buffer, position, end, path)
      lane.written = new Promise((resolve) => response.write(bytes, () => resolve()))
      position += bytes.length
    }
    await Promise.race([Promise.all(lanes.map(({ written }) => written)), gone.happened])
    // A connection that broke off may still hold them.
    if (!response.destroyed) for (const { buffer } of lanes) if (idle.length < MAX_IDLE) idle.push(buffer)
  } finally {
    gone.forget()
    await file.close()
  }
}

function takeBuffer(): Buffer {
  return idle.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES)
}

async function fill(file: FileHandle, buffer: Buffer, position: number, end: number, path: string): Promise<Buffer> {
  const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, end + 1 - position), position)
  if (bytesRead === 0) throw new Error(`${path} ends at ${position}`)
  return buffer.subarray(0, bytesRead)
}

/** The callbacks of writes do not come when the connection has broken off before them. */
function goneOf(response: ServerResponse): { readonly happened: Promise<void>; forget(): void } {
  let forget = () => {}
  const happened = new Promise<void>((resolve) => {
    const onClose = () => resolve()
    response.once('close', onClose)
    forget = () => void response.off('close', onClose)
    if (response.destroyed) resolve()
  })
  return { happened, forget }
}
