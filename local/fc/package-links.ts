import { createHmac, timingSafeEqual } from 'node:crypto'
import { lstat, readdir, readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { type AsyncZippable, zip } from 'fflate'
import type { Credentials } from '../wire/credentials.ts'
import type { Packages } from './packages.ts'

/** Links that give a code package for some minutes, as the service's links to its own bucket do. */
export interface PackageLinks {
  url(id: string): string
  /** Answers when the request follows such a link. */
  serve(request: IncomingMessage, response: ServerResponse): Promise<boolean>
}

const LIFE_MS = 10 * 60_000
const PATH = /^\/code-packages\/([0-9a-f]{40})\.zip\?Expires=(\d{1,12})&Signature=([0-9a-f]{64})$/

/** Opens the links below an address. */
export function packageLinks(
  packages: Packages,
  { accessKeySecret }: Pick<Credentials, 'accessKeySecret'>,
  address: { readonly url: string; now(): number },
): PackageLinks {
  const sign = (id: string, expires: string) =>
    createHmac('sha256', accessKeySecret).update(`code-package\n${id}\n${expires}`).digest()
  return {
    url(id) {
      const expires = String(Math.floor((address.now() + LIFE_MS) / 1000))
      return `${address.url}/code-packages/${id}.zip?Expires=${expires}&Signature=${sign(id, expires).toString('hex')}`
    },
    async serve(request, response) {
      const [, id = '', expires = '', signature = ''] = PATH.exec(request.url ?? '') ?? []
      if (id === '') return false
      const isSigned = timingSafeEqual(Buffer.from(signature, 'hex'), sign(id, expires))
      const archive =
        isSigned && Number(expires) * 1000 > address.now() ? await packages.read(id).catch(() => undefined) : undefined
      if (archive) response.writeHead(200, { 'Content-Type': 'application/zip' }).end(archive)
      else response.writeHead(403, { 'Content-Type': 'text/plain' }).end('AccessDenied')
      return true
    },
  }
}

/** A folder as a package; the same files give the same bytes. */
export async function packFolder(folder: string): Promise<Buffer> {
  const files: AsyncZippable = {}
  for (const name of (await readdir(folder, { recursive: true })).sort()) {
    const found = await lstat(join(folder, name))
    if (!found.isFile()) continue
    const options = { os: 3, attrs: found.mode << 16, mtime: EPOCH, level: 6 } as const
    files[name] = [await readFile(join(folder, name)), options]
  }
  return new Promise((resolve, reject) => {
    zip(files, (error, data) => (error ? reject(error) : resolve(Buffer.from(data))))
  })
}

/** The first day that a ZIP archive can name. */
const EPOCH = new Date(1980, 0, 1, 12)
