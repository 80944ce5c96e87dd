/*
 * Outlives the local cloud by a moment: when the process that started it is gone, however that came about, it kills
 * every function instance that was still running, with all their children.
 */
import process from 'node:process'
import { killTrees } from './processes.mjs'

/** @typedef {import('./processes.mjs').Root} Root */

/** @type {Map<number, Root>} */
const instances = new Map()

process.on('message', (message) => {
  const { add, remove } = /** @type {{ add?: Root, remove?: number }} */ (message)
  if (add) instances.set(add.pid, add)
  if (remove) instances.delete(remove)
})
process.once('disconnect', () => {
  if (instances.size > 0) killTrees([...instances.values()])
  process.exit()
})
