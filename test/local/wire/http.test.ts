import { once } from 'node:events'
import { createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { expect, onTestFinished, test } from 'vitest'
import { listen } from '../../../local/wire/http.ts'

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'))

/** Takes a port; 0 lets the system choose. */
async function take(host: string, port: number): Promise<number> {
  const server = createServer().listen({ host, port })
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const address = server.address()
  return typeof address === 'object' && address ? address.port : 0
}

test.each(['127.0.0.1', '::1', 'localhost', ...(hasIpv6 ? ['::'] : [])])(
  'a server on %s answers under both addresses of localhost and says that name',
  async (host) => {
    const server = await listen((_request, response) => response.end('here'), { host, port: 0 })
    onTestFinished(() => server.close())
    for (const name of ['127.0.0.1', 'localhost', ...(hasIpv6 ? ['[::1]'] : [])]) {
      expect(await (await fetch(`http://${name}:${server.port}`)).text()).toBe('here')
    }
    expect(server.url).toBe(`http://localhost:${server.port}`)
  },
)

test('a server on every address is told by a name too, which the SDK of OSS needs', async () => {
  const server = await listen((_request, response) => response.end('here'), { host: '0.0.0.0', port: 0 })
  onTestFinished(() => server.close())
  expect(await (await fetch(server.url)).text()).toBe('here')
  expect(server.url).toBe(`http://localhost:${server.port}`)
})

test('a port that one of the two addresses does not have free is refused, and given back on the other', async () => {
  const port = await take(hasIpv6 ? '::1' : '127.0.0.1', 0)
  await expect(listen(() => {}, { host: '127.0.0.1', port })).rejects.toMatchObject({ code: 'EADDRINUSE', port })
  if (hasIpv6) expect(await take('127.0.0.1', port)).toBe(port)
})
