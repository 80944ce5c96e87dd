import { getSystemErrorName } from 'node:util'
import { ManifestError } from './fc/manifest-error.ts'
import { StartupError } from './start-error.ts'

/** What was asked for when a start failed. */
interface Asked {
  readonly dataDir: string
  readonly host?: string
  readonly port?: number
}

/** An error in words when the user can do something about it; any other as it is. */
export function explain(error: unknown, asked: Asked): unknown {
  if (error instanceof ManifestError) return new StartupError(error.message, { cause: error })
  // A start that was given up ends with an AbortError, whose code is a number of another list.
  if (!(error instanceof Error) || error instanceof StartupError || error instanceof DOMException) return error
  const message = addressFault(error, asked) ?? folderFault(error, asked)
  return message === undefined ? error : new StartupError(message, { cause: error })
}

function addressFault(error: NodeJS.ErrnoException, { host = '127.0.0.1', port = 0 }: Asked): string | undefined {
  const { code, syscall } = error
  const taken = (error as { port?: number }).port
  if (code === 'EADDRINUSE') {
    const other = Math.abs(port - 9100) < 7 ? 9200 : 9100
    return `Port ${taken} is in use; stop what uses it or start with --port ${other}`
  }
  if (syscall === 'listen' && code === 'EACCES') {
    return `Port ${taken} is not for everybody on this machine; start with a --port above 1023`
  }
  if (code === 'EADDRNOTAVAIL' || syscall === 'getaddrinfo') return `This machine has no address ${host} (--host)`
  return undefined
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EROFS: 'it is on a read-only disk',
  ENOENT: 'it cannot be made',
  EEXIST: 'it is not a folder',
  ENOTDIR: 'it is not a folder',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
}

/** Of any file below the data folder; whatever else is not there or not allowed is ours to mend. */
function folderFault(error: NodeJS.ErrnoException, { dataDir }: Asked): string | undefined {
  // lmdb gives the system's number for its code, and no path.
  const { code = '', path = dataDir } = error
  const reason = REASONS[typeof code === 'number' ? getSystemErrorName(-code) : code]
  if (reason === undefined || !path.startsWith(dataDir)) return undefined
  return `${path} cannot be used: ${reason} (--data)`
}
