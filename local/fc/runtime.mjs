/*
 * What a built-in Node.js runtime does inside an instance: loads the bundle, answers one request at a time. Plain
 * JavaScript, since it runs under plain `node` beside the function's own code.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { pathToFileURL } from 'node:url'

/**
 * @typedef {(error?: unknown, value?: unknown) => void} Callback
 * @typedef {Record<string, unknown>} Context
 * @typedef {{ type: 'load', codeDir: string, handler: string, initializer?: string, preStop?: string, context: Context }} Load
 * @typedef {{ type: 'invoke', id: number, payload: Uint8Array, context: Context }} Invoke
 * @typedef {{ type: 'pre-stop', context: Context }} PreStop
 * @typedef {Function | undefined} Handler
 */

const toParent = /** @type {(message: object) => void} */ (process.send?.bind(process))
// The function must not find itself to be anybody's child process.
Reflect.deleteProperty(process, 'send')

// Whoever started the function is gone: nobody would ever stop it.
process.once('disconnect', () => process.kill(-process.pid, 'SIGKILL'))

/** @type {{ handler?: Handler, initializer?: Handler, preStop?: Handler }} */
let handlers = {}

process.on('message', (received) => {
  const message = /** @type {Load | Invoke | PreStop} */ (received)
  if (message.type === 'load') void load(message)
  if (message.type === 'invoke') invoke(message)
  if (message.type === 'pre-stop') hook(handlers.preStop, message.context, 'stopped')
})

/** @param {Load} message */
async function load({ codeDir, handler, initializer, preStop, context }) {
  try {
    handlers = {
      handler: await find(codeDir, handler),
      initializer: initializer ? await find(codeDir, initializer) : undefined,
      preStop: preStop ? await find(codeDir, preStop) : undefined,
    }
    if (initializer) hook(handlers.initializer, context, 'ready')
    else toParent({ type: 'ready' })
  } catch (error) {
    toParent({ type: 'failed', error: describe(error) })
  }
}

/** @param {string} codeDir @param {string} name @returns {Promise<Handler>} */
async function find(codeDir, name) {
  const dot = name.lastIndexOf('.')
  const [file, exported] = [name.slice(0, dot), name.slice(dot + 1)]
  const path = ['.mjs', '.js', '.cjs'].map((ending) => join(codeDir, file + ending)).find((path) => existsSync(path))
  if (!path) throw new Error(`there is no ${file}.mjs or ${file}.js in ${codeDir}`)
  const module = await import(pathToFileURL(path).href)
  const found = module[exported] ?? module.default?.[exported]
  if (typeof found !== 'function') throw new Error(`${path} does not export a function named ${exported}`)
  return found
}

/** @param {Invoke} message */
function invoke({ id, payload, context }) {
  settle(
    (callback) => handlers.handler?.(Buffer.from(payload), withLogger(context), callback),
    (value) => toParent({ type: 'result', id, payload: toBytes(value) }),
    (error, thrown) => toParent({ type: 'error', id, thrown, error: describe(error) }),
  )
}

/** @param {Handler} work @param {Context} context @param {string} done */
function hook(work, context, done) {
  settle(
    (callback) => work?.(withLogger(context), callback),
    () => toParent({ type: done }),
    (error) => toParent({ type: 'failed', error: describe(error) }),
  )
}

/**
 * Takes the first of: the callback, the end of a returned promise, an error thrown.
 * @param {(callback: Callback) => unknown} work
 * @param {(value: unknown) => void} succeed
 * @param {(error: unknown, thrown: boolean) => void} fail
 */
function settle(work, succeed, fail) {
  let open = true
  /** @param {() => void} report */
  const once = (report) => {
    if (!open) return
    open = false
    report()
  }
  /** @type {Callback} */
  const callback = (error, value) => once(() => (error ? fail(error, false) : succeed(value)))
  try {
    const returned = work(callback)
    if (!(returned instanceof Promise)) return
    returned.then(
      (value) => once(() => succeed(value)),
      (error) => once(() => fail(error, true)),
    )
  } catch (error) {
    once(() => fail(error, true))
  }
}

/** @param {unknown} value */
function toBytes(value) {
  if (value instanceof Uint8Array) return Buffer.from(value)
  if (typeof value === 'string') return Buffer.from(value)
  return Buffer.from(JSON.stringify(value) ?? '')
}

/** @param {unknown} error */
function describe(error) {
  if (!(error instanceof Error)) return { errorMessage: String(error), errorType: 'Error', stackTrace: [] }
  const stackTrace = (error.stack ?? '').split('\n').map((line) => line.trim())
  return { errorMessage: error.message, errorType: error.name, stackTrace }
}

/** @param {Context} context */
function withLogger(context) {
  const line = (/** @type {string} */ level) => (/** @type {unknown} */ text) => {
    process.stdout.write(`[${level}] ${text}\n`)
  }
  const logger = { debug: line('DEBUG'), info: line('INFO'), warn: line('WARNING'), error: line('ERROR') }
  return { ...context, logger: { ...logger, log: logger.info, setLogLevel() {} } }
}
