/**
 * Adds up what ran: `node .ci/count.mjs FAILED_STEPS TESTS_JSON BUNDLES_JSON`. Both files have vitest's JSON form; a file
 * that is missing is a failure. Prints what was skipped, then `N passed, N failed`.
 */
import { existsSync, readFileSync } from 'node:fs'

/** @typedef {{ status: string, fullName: string }} Result */
/** @typedef {{ success?: boolean, testResults: { name: string, message?: string, assertionResults: Result[] }[] }} Report */

const [failedSteps = '0', ...files] = process.argv.slice(2)
let passed = 0
let failed = Number(failedSteps)

for (const file of files) {
  if (!existsSync(file)) {
    console.log(`nothing was written to ${file}`)
    failed += 1
    continue
  }
  /** @type {Report} */
  const { testResults } = JSON.parse(readFileSync(file, 'utf8'))
  for (const { name, assertionResults } of testResults) {
    // A file that could not even be loaded, or that holds no test.
    if (assertionResults.length === 0) {
      console.log(`no test ran in ${name}`)
      failed += 1
    }
    for (const { status, fullName } of assertionResults) {
      if (status === 'passed') {
        passed += 1
        continue
      }
      failed += 1
      console.log(`${status}: ${name}: ${fullName}`)
    }
  }
}

console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 && passed > 0 ? 0 : 1)
