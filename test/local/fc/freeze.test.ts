import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { functionResource, httpTrigger, makeProject, manifestText } from './project.ts'

/** Answers before its write is done. */
const FORGETFUL = `
import { appendFile } from 'node:fs/promises'
export const handler = async (event) => {
  const { rawPath } = JSON.parse(event)
  if (rawPath === '/write') setTimeout(() => void appendFile(process.env.OUT, 'late'), 150)
  return { pid: process.pid }
}`

test('work that a handler does not wait for stands still until the next request', async () => {
  const project = await makeProject({ 'code/forgetful/index.mjs': FORGETFUL, out: '' })
  onTestFinished(() => project.dispose())
  const OUT = join(project.dir, 'out')
  const props = { environmentVariables: { OUT }, triggers: [httpTrigger()] }
  const routes = [{ path: '/*', functionName: 'forgetful' }]
  await project.write({ 's.yaml': manifestText({ forgetful: functionResource('forgetful', props) }, routes) })
  const running = await project.start({ maxInstances: { forgetful: 1 } })

  const { pid } = (await (await fetch(`${running.gateway}/write`)).json()) as { pid: number }
  await until(async () => (await readFile(`/proc/${pid}/stat`, 'latin1')).split(') ')[1]?.[0] === 'T')
  // Longer than the write would take: what has not happened by now is not going to.
  const patience = new Promise((resolve) => setTimeout(resolve, 400))
  await patience
  expect(await project.read('out')).toBe('')

  await until(async () => {
    await fetch(`${running.gateway}/look`)
    return (await project.read('out')) === 'late'
  })
})

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10))
}
