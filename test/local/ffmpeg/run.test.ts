import { expect, test } from 'vitest'
import { runTool } from '../../../local/ffmpeg/run.ts'

const node = (code: string, options: Parameters<typeof runTool>[2]) => runTool(process.execPath, ['-e', code], options)
const never = new AbortController().signal

test('gives what a program wrote and how it ended', async () => {
  const ended = await node('process.stdout.write("out"); console.error("said"); process.exitCode = 3', {
    signal: never,
  })
  expect(ended).toEqual({ code: 3, output: Buffer.from('out'), log: 'said\n' })
})

test('kills a program when its signal aborts, before or while it runs', async () => {
  const forever = 'process.stdout.write("x"); setInterval(() => {}, 1000)'
  expect((await node(forever, { signal: AbortSignal.abort() })).code).toBeUndefined()
  expect((await node(forever, { signal: AbortSignal.timeout(200) })).code).toBeUndefined()
})

test('kills a program that writes too much', async () => {
  const { code, output } = await node('setInterval(() => process.stdout.write("x".repeat(1000)), 1)', {
    signal: never,
    maxOutputBytes: 5000,
  })
  expect(code).toBeUndefined()
  expect(output.length).toBeLessThanOrEqual(5000)
})

test('rejects when there is no such program', async () => {
  await expect(runTool('/nowhere/ffmpeg', [], { signal: never })).rejects.toMatchObject({ code: 'ENOENT' })
})
