/**
 * Reads every entry of the lmdb files that are named, in a process of its own: what is broken in one of them may end
 * the process that reads it (lmdb maps the file into memory and trusts it).
 *
 *   node read-index.mjs FILE…
 *
 * Standard output: an empty line when it begins, then the files that are whole, one a line.
 */
import { dirname } from 'node:path'
import { open } from 'lmdb'

process.stdout.write('\n')
for (const file of process.argv.slice(2)) {
  const root = open({ path: dirname(file), noSubdir: false, readOnly: true, maxDbs: 64, ...binary() })
  const names = [...root.getKeys()].map((key) => String(key).replace(/\0$/, ''))
  for (const name of names) readNamed(root, name)
  readAll(root)
  await root.close()
  process.stdout.write(`${file}\n`)
}

/** @returns {{ keyEncoding: 'binary', encoding: 'binary' }} */
function binary() {
  return { keyEncoding: 'binary', encoding: 'binary' }
}

/** A key of the root may name a database inside the file. @param {import('lmdb').RootDatabase} root @param {string} name */
function readNamed(root, name) {
  const named = root.openDB({ name, ...binary() })
  if (named) readAll(named)
}

/** A page that was overwritten with nothing reads as one without entries. @param {import('lmdb').Database} database */
function readAll(database) {
  let seen = 0
  for (const { value } of database.getRange({})) seen += value === undefined ? 0 : 1
  const { entryCount } = /** @type {{ entryCount: number }} */ (database.getStats())
  if (seen !== entryCount) throw new Error(`${seen} of ${entryCount} entries are there`)
}
