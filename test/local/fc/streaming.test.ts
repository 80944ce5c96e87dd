import { expect, onTestFinished, test } from 'vitest'
import { functionResource, httpTrigger, makeProject, manifestText } from './project.ts'

const SERVER = `
import { createServer } from 'node:http'
let held
createServer((request, response) => {
  const { pathname } = new URL(request.url, 'http://x')
  if (pathname === '/release') { held.end('second'); return response.end() }
  if (pathname === '/break') { held.destroy(); return response.end() }
  if (pathname === '/big') { response.writeHead(200, { 'content-length': 64 * 1048576 }); return void big(response, 64) }
  if (pathname === '/headers') return response.writeHead(200, { 'x-long': 'x'.repeat(9000) }).end('no')
  held = response
  response.writeHead(200, { 'content-type': 'text/plain' })
  response.write('first')
}).listen(Number(process.env.FC_CUSTOM_LISTEN_PORT))
async function big(response, left) {
  for (; left > 0; left--) if (!response.write(Buffer.alloc(1048576))) await new Promise((go) => response.once('drain', go))
  response.end()
}`

async function startServer() {
  const project = await makeProject({ 'code/web/server.mjs': SERVER })
  onTestFinished(() => project.dispose())
  const web = functionResource('web', {
    runtime: 'custom.debian10',
    customRuntimeConfig: { command: ['/var/fc/lang/nodejs20/bin/node'], args: ['/code/server.mjs'], port: 9000 },
    instanceConcurrency: 20,
    triggers: [httpTrigger()],
  })
  await project.write({ 's.yaml': manifestText({ web }, [{ path: '/*', functionName: 'web' }]) })
  return (await project.start({ maxInstances: { web: 1 } })).gateway
}

test('an answer of a custom runtime is passed on as it comes', async () => {
  const gateway = await startServer()
  const response = await fetch(`${gateway}/held`)
  const reader = response.body?.getReader()
  expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('first')
  await fetch(`${gateway}/release`)
  expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('second')
  expect((await reader?.read())?.done).toBe(true)
})

test('an answer that breaks off in the middle does not look whole', async () => {
  const gateway = await startServer()
  const response = await fetch(`${gateway}/held`)
  expect(response.status).toBe(200)
  await fetch(`${gateway}/break`)
  await expect(response.text()).rejects.toThrow()
})

test('a large answer keeps its length', async () => {
  const gateway = await startServer()
  const response = await fetch(`${gateway}/big`)
  expect(response.headers.get('content-length')).toBe(String(64 * 1048576))
  expect((await response.arrayBuffer()).byteLength).toBe(64 * 1048576)
})

test('headers over 8 KB are a bad gateway, and the instance goes on', async () => {
  const gateway = await startServer()
  expect((await fetch(`${gateway}/headers`)).status).toBe(502)
  expect((await fetch(`${gateway}/big`)).status).toBe(200)
})
