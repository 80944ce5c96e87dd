import { TaskFailure, type VideoErrorCode } from '../../shared/video-errors.ts'

/** What the store says about the source now; `undefined` when it is gone. */
export interface SourceHead {
  readonly etag: string
  readonly sizeBytes: number
}

const TRANSPORT =
  /Input\/output error|Connection (timed out|refused|reset)|timed out|Stream ends prematurely|Server returned [45]|HTTP error (?!416)[45]\d\d|Network is unreachable|Failed to resolve/i
const RECONNECT = /Will reconnect/
const CUT_OFF =
  /moov atom not found|partial file|Truncat|File ended prematurely|HTTP error 416|unspecified size|End of file/i
const UNDECODABLE = /Decoder .* not found|no decoder found|Could not find codec parameters|unsupported codec/i
const DAMAGE =
  /error while decoding|Error submitting packet to decoder|Invalid NAL|corrupt|concealing|non-existing PPS/i

/** Whether the tool lost its connection rather than meeting a bad file: a loss after which it did not try again. */
export function lostConnection(stderr: string): boolean {
  const last = stderr.split('\n').findLast((line) => TRANSPORT.test(line) || RECONNECT.test(line))
  return last !== undefined && !RECONNECT.test(last)
}

/** Whether the reader met the end of the file where more was promised. */
export function endedEarly(stderr: string): boolean {
  return CUT_OFF.test(stderr)
}

/** Whether the decoder complained about the bytes it was given. */
export function sawDamage(stderr: string): boolean {
  return DAMAGE.test(stderr)
}

/** Refuses a source that is no longer what was accepted; any failure of a tool may come from that. */
export function assertUnchanged(head: SourceHead | undefined, etag: string): void {
  if (!head) throw new TaskFailure('source_missing')
  if (plain(head.etag) !== plain(etag)) throw new TaskFailure('source_changed')
}

function plain(etag: string): string {
  return etag.replaceAll('"', '').toLowerCase()
}

/** What it means that ffprobe could not open an unchanged source. */
export function unreadable(stderr: string, cause: unknown): TaskFailure {
  const code = unreadableCode(stderr)
  const message = code === 'transcode_failed' ? 'The source could not be read from storage.' : undefined
  return new TaskFailure(code, message, { cause })
}

function unreadableCode(stderr: string): VideoErrorCode {
  if (/moov atom not found|HTTP error 416/i.test(stderr)) return 'source_truncated'
  if (lostConnection(stderr)) return 'transcode_failed'
  if (UNDECODABLE.test(stderr)) return 'unsupported_source'
  return 'not_a_video'
}
