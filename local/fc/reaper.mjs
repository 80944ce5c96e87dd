/*
 * Outlives the local cloud by a moment: when the process that started it is gone, however that came about, it kills
 * every function instance that was still running, with all their children. It is told of them line by line on standard
 * input, whose end is the end of that process; a pipe keeps what was written before, even to a reaper still starting.
 */
import process from 'node:process'
import { createInterface } from 'node:readline'
import { killTrees } from './processes.mjs'

/** @typedef {import('./processes.mjs').Root} Root */

/** @type {Map<number, Root>} */
const instances = new Map()

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const { add, remove } = /** @type {{ add?: Root, remove?: number }} */ (JSON.parse(line))
    if (add) instances.set(add.pid, add)
    if (remove) instances.delete(remove)
  })
  .on('close', () => {
    if (instances.size > 0) killTrees([...instances.values()])
    process.exit()
  })
