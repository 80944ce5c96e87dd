import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type Fc, type FcOptions, startFc } from '../../../local/fc/index.ts'
import { gateway } from '../../../local/gateway.ts'
import { openCredentials } from '../../../local/wire/credentials.ts'

/** The account of these tests. */
export const account = {
  accountId: '1234567890123456',
  accessKeyId: 'LTAItest',
  accessKeySecret: 'secret-of-the-account',
}
export const credentials = openCredentials(account, Date.now)

/** A project folder with an `s.yaml` and tiny functions; gone after `dispose`. */
export interface Project {
  readonly dir: string
  readonly dataDir: string
  start(changes?: Partial<FcOptions>): Promise<Running>
  write(files: Readonly<Record<string, string>>): Promise<void>
  read(path: string): Promise<string>
  logOf(functionName: string): Promise<string>
  dispose(): Promise<void>
}

/** Function Compute with its custom domain in front. */
export interface Running {
  readonly fc: Fc
  /** URL of the custom domain. */
  readonly gateway: string
  close(): Promise<void>
}

/** Writes the project; keys of `files` are paths inside it. */
export async function makeProject(files: Readonly<Record<string, string>>): Promise<Project> {
  const dir = await mkdtemp(join(tmpdir(), 'fc-test-'))
  const write: Project['write'] = async (texts) => {
    for (const [path, text] of Object.entries(texts)) {
      await mkdir(dirname(join(dir, path)), { recursive: true })
      await writeFile(join(dir, path), text)
    }
  }
  await write(files)
  const dataDir = join(dir, 'data')
  const running = new Set<Running>()
  return {
    dir,
    dataDir,
    write,
    read: (path) => readFile(join(dir, path), 'utf8'),
    async start(changes = {}) {
      const fc = await startFc({
        host: '127.0.0.1',
        port: 0,
        dataDir,
        projectDir: dir,
        credentials,
        env: (fcUrl) => ({ FC_URL: fcUrl }),
        path: process.env.PATH ?? '',
        retryDelayMs: 1,
        ...changes,
      })
      const server = createServer(
        gateway(() => ({ fc, webDir: join(dir, 'web'), ossOrigin: 'http://oss.lan:9001', now: Date.now })),
      )
      const url = await listening(server)
      const one: Running = {
        fc,
        gateway: url,
        async close() {
          running.delete(one)
          server.closeAllConnections()
          await new Promise((resolve) => server.close(resolve))
          await fc.close()
        },
      }
      running.add(one)
      return one
    },
    logOf: (name) => readFile(join(dataDir, 'logs', `${name}.log`), 'utf8'),
    async dispose() {
      await Promise.all([...running].map((one) => one.close()))
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** One resource of `s.yaml`, in the flow style that YAML shares with JSON. */
export function functionResource(name: string, props: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    component: 'fc3',
    props: {
      region: 'cn-hangzhou',
      functionName: name,
      runtime: 'nodejs20',
      handler: 'index.handler',
      code: `./code/${name}`,
      timeout: 10,
      role: `acs:ram::${account.accountId}:role/worker`,
      ...props,
    },
  }
}

/** An HTTP trigger as `s.yaml` has it. */
export function httpTrigger(methods: readonly string[] = ['GET', 'POST']): Record<string, unknown> {
  return { triggerName: 'http', triggerType: 'http', triggerConfig: { authType: 'anonymous', methods } }
}

/** The text of `s.yaml` for some resources and routes. */
export function manifestText(
  resources: Record<string, unknown>,
  routes: readonly Record<string, unknown>[] = [],
): string {
  const domain = {
    component: 'fc3-domain',
    props: { region: 'cn-hangzhou', domainName: 'auto', protocol: 'HTTP', routeConfig: { routes } },
  }
  return JSON.stringify({ edition: '3.0.0', name: 'test', access: 'default', resources: { ...resources, domain } })
}

function listening(server: Server): Promise<string> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve(`http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`)
    })
  })
}
