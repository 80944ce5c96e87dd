import { join } from 'node:path'
import type { Account } from './account.ts'
import type { Fc } from './fc/index.ts'
import { findRoute } from './fc/routes.ts'
import { StartupError } from './start-error.ts'
import type { Call } from './wire/intercept.ts'

type Variables = Readonly<Record<string, string | undefined>>

/** What a deployment knows of the cloud that it runs on. */
export interface Deployment {
  readonly region: string
  readonly urls: Readonly<Record<'gateway' | Call['service'], string>>
  readonly pipelineId: string
  readonly account: Account
  readonly bucket: string
  readonly instance: string
  /** Where packages, layers and pages are looked for. */
  readonly home: string
}

/** What `s.yaml` finds in `env()`: the only difference between the local cloud and a deployment. */
export function deployEnvironment(
  { region, urls, pipelineId, account, bucket, instance, home }: Deployment,
  outside: Variables,
): Record<string, string> {
  const { FFMPEG_PATH, FFPROBE_PATH } = given(outside)
  return {
    REGION: region,
    ALIYUN_ACCOUNT_ID: account.accountId,
    SECRET_KEY: account.secretKey,
    PUBLIC_URL: urls.gateway,
    OSS_BUCKET: bucket,
    OSS_ENDPOINT: urls.oss,
    OSS_PUBLIC_ENDPOINT: urls.oss,
    OSS_ADDRESSING: 'path',
    TABLESTORE_ENDPOINT: urls.tablestore,
    TABLESTORE_INSTANCE: instance,
    STS_ENDPOINT: urls.sts,
    INVOKE_ENDPOINT: urls.fc,
    MPS_ENDPOINT: urls.mps,
    MPS_PIPELINE_ID: pipelineId,
    MNS_ENDPOINT: urls.mns,
    SIGNUP: 'open',
    DOMAIN_NAME: 'localhost',
    // Without the layer, ffmpeg may come out of a package that `npm install` brought.
    NODE_MODULES_DIR: join(home, 'node_modules'),
    ...(FFMPEG_PATH ? { FFMPEG_PATH } : {}),
    ...(FFPROBE_PATH ? { FFPROBE_PATH } : {}),
  }
}

/** The variables that have a value. */
export function given(env: Variables): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined))
}

/** Redirected segment requests come with `Origin: null`, so reading is open; uploads come from our pages only. */
export function corsRules({ port, url }: { readonly port: number; readonly url: string }) {
  const exposeHeaders = ['ETag', 'x-oss-request-id', 'x-oss-hash-crc64ecma']
  const pages = [...new Set([url, `http://localhost:${port}`, `http://127.0.0.1:${port}`])]
  const common = { allowedHeaders: ['*'], exposeHeaders, maxAgeSeconds: 3600 }
  return [
    { allowedOrigins: pages, allowedMethods: ['PUT', 'POST', 'GET', 'HEAD', 'DELETE'], ...common },
    { allowedOrigins: ['*'], allowedMethods: ['GET', 'HEAD'], ...common },
  ]
}

interface WarmUpOptions {
  readonly dataDir: string
  readonly signal?: AbortSignal
  onProgress?(line: string): void
}

/** One instance of each function, two at a time: code that does not load is found now and not by the first user. */
export async function warmUp(fc: Fc, { dataDir, signal, onProgress }: WarmUpOptions): Promise<void> {
  const names = fc.functions.map(({ name }) => name)
  const worker = async () => {
    for (let name = names.shift(); name !== undefined; name = names.shift()) {
      signal?.throwIfAborted()
      onProgress?.(`starting ${name}`)
      await fc.warm(name).catch((error: unknown) => {
        const message = error instanceof Error ? error.message : String(error)
        throw new StartupError(`${name} does not start: ${message} (see ${join(dataDir, 'logs', `${name}.log`)})`)
      })
    }
  }
  await Promise.all([worker(), worker()])
}

/** The first user signs up as everybody does. */
export async function createUser(fc: Fc, gatewayUrl: string, { user }: Account): Promise<void> {
  if (!findRoute(fc.routes, '/v1/accounts')) return
  const response = await fetch(`${gatewayUrl}/v1/accounts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(user),
  })
  const answer = await response.text()
  if (response.status === 201 || response.status === 409) return
  throw new StartupError(`the demo user cannot be created: ${response.status} ${answer.slice(0, 500)}`)
}
