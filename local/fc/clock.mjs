/*
 * Loaded before a function's own code (`node --import`): the wall clock of the process is the local cloud's, which tests
 * move ahead. How far it is ahead stands in a file that is read at each look at the clock, so that a process that was
 * stopped in the meantime knows it too. Timers and `performance.now()` are left alone.
 */
import { openSync, readSync } from 'node:fs'

const RealDate = globalThis.Date
const machineNow = RealDate.now
const path = new URL(import.meta.url).searchParams.get('file')
if (path === null) throw new Error('expected the file of the clock in ?file=')
const file = openSync(path, 'r')
const cell = new Float64Array(1)
const bytes = new Uint8Array(cell.buffer)

function now() {
  readSync(file, bytes, 0, 8, 0)
  return machineNow() + Math.round(cell[0] ?? 0)
}

RealDate.now = now
globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, self) => Reflect.construct(target, args.length === 0 ? [now()] : args, self),
  apply: () => new RealDate(now()).toString(),
})
RealDate.prototype.constructor = globalThis.Date
