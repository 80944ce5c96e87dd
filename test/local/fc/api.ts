import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { strToU8, type Zippable, zipSync } from 'fflate'
import { type Fc, type FcOptions, startFc } from '../../../local/fc/index.ts'
import { account, credentials } from './project.ts'
import { fc3Sdk, type Keys, localConfig } from './sdk.ts'

/** Function Compute without an `s.yaml`, and the vendor's client for it. */
export interface Bare {
  readonly fc: Fc
  readonly client: Client
  readonly dataDir: string
  /** Ends it and starts it again on the same folder. */
  again(changes?: Partial<FcOptions>): Promise<Bare>
  /** Starts another one on a copy of the folder as it is on disk at this moment. */
  asIfKilled(): Promise<Bare>
  dispose(): Promise<void>
}

export type Client = InstanceType<typeof fc3Sdk.default>

/** Starts it on a folder of its own. */
export async function startBare(changes: Partial<FcOptions> = {}, folder?: string): Promise<Bare> {
  const dataDir = folder ?? (await mkdtemp(join(tmpdir(), 'fc-api-')))
  const fc = await startFc({
    host: '127.0.0.1',
    port: 0,
    dataDir,
    credentials,
    env: () => ({}),
    path: process.env.PATH ?? '',
    retryDelayMs: 1,
    ...changes,
  })
  return {
    fc,
    dataDir,
    client: clientOf(fc),
    async again(more = {}) {
      await fc.close()
      return startBare({ ...changes, ...more }, dataDir)
    },
    async asIfKilled() {
      const copy = await mkdtemp(join(tmpdir(), 'fc-api-'))
      await cp(dataDir, copy, { recursive: true })
      return startBare(changes, copy)
    },
    async dispose() {
      await fc.close()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

/** The vendor's client of the 3.0 API. */
export function clientOf(fc: Pick<Fc, 'port'>, keys: Keys = account): Client {
  return new fc3Sdk.default(localConfig(fc.port, keys) as ConstructorParameters<typeof fc3Sdk.default>[0])
}

/** An archive in Base64; a mode makes a file executable, 0o120000 a link. */
export function zipOf(
  files: Readonly<Record<string, string | { readonly text: string; readonly mode: number }>>,
): string {
  const zippable: Zippable = {}
  for (const [name, file] of Object.entries(files)) {
    const { text, mode } = typeof file === 'string' ? { text: file, mode: 0o100644 } : file
    zippable[name] = [strToU8(text), { os: 3, attrs: mode << 16 }]
  }
  return Buffer.from(zipSync(zippable)).toString('base64')
}

/** A handler that answers with what it was started with. */
export const ECHO = `exports.handler = async (event, context) => JSON.stringify({
  event: String(event), env: process.env.WORD, qualifier: context.service.qualifier, id: process.env.FC_INSTANCE_ID })`

/** Creates a function with what most tests need. */
export async function create(client: Client, functionName: string, changes: Readonly<Record<string, unknown>> = {}) {
  const input = {
    functionName,
    runtime: 'nodejs20',
    handler: 'index.handler',
    code: { zipFile: zipOf({ 'index.js': ECHO }) },
  }
  const body = new fc3Sdk.CreateFunctionInput({ ...input, ...changes })
  return (await client.createFunction(new fc3Sdk.CreateFunctionRequest({ body }))).body
}

/** Changes a function. */
export async function update(client: Client, functionName: string, changes: Readonly<Record<string, unknown>>) {
  const body = new fc3Sdk.UpdateFunctionInput(changes)
  return (await client.updateFunction(functionName, new fc3Sdk.UpdateFunctionRequest({ body }))).body
}

interface Invocation {
  readonly event?: string
  readonly qualifier?: string
  readonly async?: boolean
  readonly taskId?: string
  readonly tail?: boolean
}

/** Invokes a function: status, headers and text of the answer. */
export async function invoke(client: Client, functionName: string, options: Invocation = {}) {
  const { event = '{}', qualifier, taskId } = options
  const request = new fc3Sdk.InvokeFunctionRequest({
    body: Readable.from([Buffer.from(event)]),
    ...(qualifier === undefined ? {} : { qualifier }),
  })
  const headers = new fc3Sdk.InvokeFunctionHeaders({
    ...(options.async ? { xFcInvocationType: 'Async' } : {}),
    ...(options.tail ? { xFcLogType: 'Tail' } : {}),
    ...(taskId === undefined ? {} : { xFcAsyncTaskId: taskId }),
  })
  type Runtime = Parameters<typeof client.invokeFunctionWithOptions>[3]
  const answer = await client.invokeFunctionWithOptions(functionName, request, headers, {} as Runtime)
  const text = answer.body ? (await buffer(answer.body)).toString() : ''
  return { status: answer.statusCode, headers: answer.headers ?? {}, text }
}

/** What the echo answered. */
export async function echo(client: Client, functionName: string, options: Invocation = {}) {
  return JSON.parse((await invoke(client, functionName, options)).text) as Record<string, string>
}

/** Creates a trigger. */
export async function createTrigger(client: Client, functionName: string, input: Readonly<Record<string, unknown>>) {
  const body = new fc3Sdk.CreateTriggerInput({ ...input, triggerConfig: JSON.stringify(input.triggerConfig) })
  return (await client.createTrigger(functionName, new fc3Sdk.CreateTriggerRequest({ body }))).body
}
