/*
 * Outlives the local cloud by a moment: when the process that started it is gone, however that came about, it kills
 * what was still running, with all its children. It is told of it line by line on standard
 * input, whose end is the end of that process; a pipe keeps what was written before, even to a reaper still starting.
 */
import process from 'node:process'
import { createInterface } from 'node:readline'
import { killTrees } from './processes.mjs'

/** @typedef {import('./processes.mjs').Root} Root */

/** @type {Map<string, Root>} */
const running = new Map()

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const { add, remove } = /** @type {{ add?: Root, remove?: string }} */ (JSON.parse(line))
    if (add) running.set(add.instanceId, add)
    if (remove) running.delete(remove)
  })
  .on('close', () => {
    if (running.size > 0) killTrees([...running.values()])
    process.exit()
  })
