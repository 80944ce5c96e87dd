#!/usr/bin/env node
/**
 * `npm start` and, as `start.mjs cloud`, `npm run cloud`: builds what is stale, then runs the local cloud in this very
 * process, so that signals need no forwarding.
 */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  fail(`Node 20.19 or later is needed; this is ${process.versions.node}.`)
}
if (!existsSync(fileURLToPath(new URL('node_modules', import.meta.url)))) {
  fail('The packages are not installed yet: run `npm install` first.')
}

stopWithNpm()
const alone = process.argv[2] === 'cloud'
if (alone) process.argv.splice(2, 1)
const { build } = await import('./build.mjs')
// Standard output belongs to the local cloud (`--json` promises one object a line there).
await build({
  ...(alone ? { only: 'local' } : {}),
  onProgress: (line) => process.stderr.write(`${line}\n`),
}).catch((error) => fail(`The build failed: ${error.message}`))
await import(new URL(`dist/local/${alone ? 'cloud' : 'main'}.mjs`, import.meta.url).href)

/** npm hands signals on, but cannot when it is itself killed; the cloud must not outlive the command that started it. */
function stopWithNpm() {
  if (!['start', 'cloud'].includes(process.env.npm_lifecycle_event ?? '')) return
  const npm = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === npm) return
    clearInterval(watch)
    process.kill(process.pid, 'SIGTERM')
  }, 500)
  watch.unref()
}

/** @param {string} message @returns {never} */
function fail(message) {
  process.stderr.write(`${message}\n`)
  process.exit(1)
}
