/**
 * Runs one test file that is written for mocha and prints one JSON line for each of its tests: the tablestore package
 * brings tests and no runner. Usage: node tablestore-bdd.cjs FILE
 */
const { resolve } = require('node:path')

/**
 * @typedef {{ timeout: (ms: number) => void }} Context
 * @typedef {(this: Context, done: (error?: unknown) => void) => unknown} Body
 * @typedef {{ name: string, body: Body, limitMs: number }} Test
 */

/** @type {Test[]} */
const tests = []
/** The `describe` that is being read. */
let around = { titles: /** @type {string[]} */ ([]), afters: /** @type {Test[]} */ ([]), limitMs: 2000 }

/** @type {(title: string, body: Body) => Test} */
const testOf = (title, body) => ({ name: [...around.titles, title.trim()].join(' > '), body, limitMs: around.limitMs })

Object.assign(globalThis, {
  /** @type {(title: string, body: (this: Context) => void) => void} */
  describe: (title, body) => {
    const outer = around
    around = { titles: [...outer.titles, title.trim()], afters: [], limitMs: outer.limitMs }
    body.call({
      timeout: (ms) => {
        around.limitMs = ms
      },
    })
    tests.push(...around.afters)
    around = outer
  },
  /** @type {(title: string, body: Body) => void} */
  it: (title, body) => void tests.push(testOf(title, body)),
  /** @type {(body: Body) => void} */
  before: (body) => void tests.push(testOf('before', body)),
  /** @type {(body: Body) => void} */
  after: (body) => void around.afters.push(testOf('after', body)),
})

/** Ends the test that runs. @type {(error?: unknown) => void} */
let finish = (error) => {
  throw error
}

// Their own prints would stand between the lines.
console.log = () => undefined
process.on('uncaughtException', (error) => finish(error))
process.on('unhandledRejection', (error) => finish(error))

/** @type {(test: Test) => Promise<unknown>} */
function run({ body, limitMs }) {
  return new Promise((done) => {
    /** @type {NodeJS.Timeout | undefined} */
    let timer
    finish = (error) => {
      clearTimeout(timer)
      done(error)
    }
    const limit = (/** @type {number} */ ms) => {
      clearTimeout(timer)
      timer = setTimeout(() => finish(new Error(`not done after ${ms} ms`)), ms)
    }
    limit(limitMs)
    try {
      const result = body.call({ timeout: limit }, finish)
      if (body.length === 0) Promise.resolve(result).then(() => finish(), finish)
    } catch (error) {
      finish(error)
    }
  })
}

async function main() {
  require(resolve(process.argv[2] ?? ''))
  for (const test of tests) {
    const error = await run(test)
    const text =
      error === undefined || error === null ? {} : { error: error instanceof Error ? error.stack : String(error) }
    process.stdout.write(`${JSON.stringify({ name: test.name, ...text })}\n`)
  }
  process.exit()
}

void main()
