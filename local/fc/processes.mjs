import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/**
 * @typedef {{ readonly pid?: number, readonly instanceId: string }} Root
 * @typedef {{ pid: number, ppid: number, group: number, environment?: string }} Row
 */

/**
 * Kills processes with everything they have started, in whatever group or session it runs. Each one found is stopped
 * first and the search repeated, so that nothing can be started behind the search's back.
 * @param {readonly Root[]} roots
 * @param {readonly number[]} [spared] those of them that live on
 */
export function killTrees(roots, spared = []) {
  /** @type {Set<number>} */
  const found = new Set()
  for (let grew = true; grew; ) {
    grew = false
    for (const pid of descendants(roots)) {
      if (found.has(pid) || spared.includes(pid)) continue
      found.add(pid)
      grew = true
      signal(pid, 'SIGSTOP')
    }
  }
  for (const pid of found) signal(pid, 'SIGKILL')
}

/**
 * Those of the roots' trees that are alive: children's children, the roots' groups, and who carries their id.
 * @param {readonly Root[]} roots
 */
function descendants(roots) {
  const table = processTable()
  const family = new Set(roots.flatMap(({ pid }) => pid ?? []))
  const marks = roots.map(({ instanceId }) => `FC_INSTANCE_ID=${instanceId}`)
  /** @param {Row} row */
  const belongs = (row) => family.has(row.pid) || family.has(row.ppid) || family.has(row.group) || hasMark(row, marks)
  for (let size = -1; size !== family.size; ) {
    size = family.size
    for (const row of table) if (row.pid !== process.pid && belongs(row)) family.add(row.pid)
  }
  return table.filter((row) => family.has(row.pid) && row.pid !== process.pid).map((row) => row.pid)
}

/** @param {Row} row @param {readonly string[]} marks */
function hasMark(row, marks) {
  const environment = row.environment ?? environmentOf(row.pid)
  row.environment = environment
  return marks.some((mark) => environment.includes(mark))
}

/** @param {number} pid */
function environmentOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1')
  } catch {
    return ''
  }
}

/** @returns {Row[]} */
function processTable() {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap(readRow)
  } catch {
    return psTable()
  }
}

/** @param {string} name @returns {Row[]} */
function readRow(name) {
  try {
    const stat = readFileSync(`/proc/${name}/stat`, 'latin1')
    // The second field is the program's name in brackets, which may itself hold brackets and blanks.
    const [, ppid, group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return [{ pid: Number(name), ppid: Number(ppid), group: Number(group) }]
  } catch {
    return []
  }
}

/** Systems without /proc. @returns {Row[]} */
function psTable() {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,pgid='], { encoding: 'latin1' }).trim().split('\n')
  return lines.map((line) => {
    const [pid = 0, ppid = 0, group = 0] = line.trim().split(/\s+/).map(Number)
    return { pid, ppid, group }
  })
}

/** @param {number} pid @param {NodeJS.Signals} name */
function signal(pid, name) {
  try {
    process.kill(pid, name)
  } catch {
    // Gone already.
  }
}
