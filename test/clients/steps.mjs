/** Clients that are tried step by step: each step is one test, and the later ones build on the earlier. */
import { writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { runProgram } from './tools.mjs'

/** @typedef {import('./clients.d.ts').Outcome} Outcome */

/** @param {Record<string, () => Promise<void>>} steps @returns {Promise<Outcome[]>} */
export async function runSteps(steps) {
  const outcomes = []
  for (const [name, step] of Object.entries(steps)) {
    const error = await step().then(
      () => undefined,
      (/** @type {Error} */ reason) => `${reason.name}: ${reason.message}`,
    )
    outcomes.push(error === undefined ? { name } : { name, error })
  }
  return outcomes
}

/** @param {unknown} actual @param {unknown} wanted */
export function same(actual, wanted) {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(wanted)]
  if (a !== b) throw new Error(`${a} is not ${b}`)
}

/**
 * A program with settings of its own; what it prints, unless it fails.
 * @param {string} program @param {{ cwd: string, env: Record<string, string> }} options
 * @returns {(...args: string[]) => Promise<string>}
 */
export function commandOf(program, options) {
  return async (...args) => {
    const { text, status } = await runProgram(program, args, { ...options, seconds: 120 })
    if (status === 0) return text.trim()
    throw new Error(`${program} ${args.join(' ')} ended with ${status}: ${text.slice(-800)}`)
  }
}

/**
 * A script that prints one JSON object a line for each of its tests.
 * @param {string} program @param {string[]} args @param {string} cwd @param {Record<string, string>} env
 * @returns {Promise<Outcome[]>}
 */
export async function runScript(program, args, cwd, env) {
  const { text, status } = await runProgram(program, args, { cwd, env, seconds: 180 })
  const lines = text.split('\n').filter((line) => line.startsWith('{"name"'))
  if (status !== 0 || lines.length === 0) return [{ name: 'script', error: text }]
  return lines.map((line) => JSON.parse(line))
}

/**
 * Packages of npm, installed for the occasion; gives what requires them, or how that failed.
 * @param {string[]} packages @param {string} folder
 * @returns {Promise<(name: string) => any>}
 */
export async function installed(packages, folder) {
  await writeFile(join(folder, 'package.json'), '{}')
  const options = ['install', '--no-audit', '--no-fund', '--ignore-scripts', ...packages]
  const { text, status } = await runProgram('npm', options, { cwd: folder, seconds: 180 })
  if (status !== 0) throw new Error(`npm install failed: ${text}`)
  return createRequire(join(folder, 'package.json'))
}
