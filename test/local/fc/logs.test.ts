import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { functionResource, httpTrigger, makeProject, manifestText } from './project.ts'

async function open() {
  const project = await makeProject({
    's.yaml': manifestText({ api: functionResource('api', { triggers: [httpTrigger()] }) }, [
      { path: '/*', functionName: 'api' },
    ]),
    'code/api/index.mjs': `export const handler = async (event) => {
      console.log('asked for ' + JSON.parse(event).rawPath)
      return { statusCode: 200, body: '' }
    }`,
  })
  onTestFinished(() => project.dispose())
  return project
}

test('a log folder that is cleared while functions run is made again', async () => {
  const project = await open()
  const running = await project.start()
  await fetch(`${running.gateway}/first`)
  await vi.waitFor(async () => expect(await project.logOf('api')).toContain('FC Invoke End'))
  await rm(join(project.dataDir, 'logs'), { recursive: true })
  expect((await fetch(`${running.gateway}/second`)).status).toBe(200)
  await running.close()
  expect(await project.logOf('api')).toContain('asked for /second')
})

test('a log that cannot be written keeps no function from its work', async () => {
  const project = await open()
  await mkdir(project.dataDir, { recursive: true })
  await writeFile(join(project.dataDir, 'logs'), 'a file where the folder belongs')
  const running = await project.start()
  expect((await fetch(`${running.gateway}/anything`)).status).toBe(200)
  await running.close()
})
