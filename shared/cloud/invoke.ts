import { Readable } from 'node:stream'
import type { Credentials } from '../auth/credentials.ts'
import { AppError } from '../errors.ts'
import { exportsOf } from './common-js.ts'
import { openInvokerV2 } from './invoke-v2.ts'
import { openApiConfig } from './open-api.ts'
import { perCredentials } from './per-credentials.ts'
import { withRetries } from './retry.ts'
import { codeOf, isTransient, statusOf, translate } from './upstream.ts'

export interface InvokeConfig {
  /** `https://<account>.<region>.fc.aliyuncs.com` */
  readonly endpoint: string
  readonly functionPrefix: string
  /** Set for functions of FC 2.0, which live in a service. */
  readonly service?: string | undefined
}

/** Starts functions without waiting for them. */
export interface Invoker {
  /** Queues one run under an id that is good for ever: `already` means that it was taken before. */
  invokeAsync(
    functionName: string,
    payload: unknown,
    options: { readonly taskId: string },
  ): Promise<'accepted' | 'already'>
}

/** Sends one asynchronous invocation; gives the status of the answer or throws the SDK's error. */
type SendInvocation = (functionName: string, payload: string, taskId: string) => Promise<number | undefined>

const TIMEOUT_MS = 10_000

/** The invoker of this deployment; names are given without the prefix. */
export function openInvoker(config: InvokeConfig, credentials: Credentials): Invoker {
  const { endpoint, service } = config
  const send: SendInvocation = service
    ? openInvokerV2({ endpoint, service, timeoutMs: TIMEOUT_MS }, credentials)
    : openInvokerV3({ endpoint }, credentials)
  const retry = { tries: 4, baseDelayMs: 200, timeoutMs: TIMEOUT_MS, retryable: isTransient }
  return {
    async invokeAsync(functionName, payload, { taskId }) {
      const text = JSON.stringify(payload)
      try {
        const status = await withRetries(retry, () => send(`${config.functionPrefix}${functionName}`, text, taskId))
        if (status === 202) return 'accepted'
        throw new AppError('upstream_failed', `Function Compute answered ${status}, not 202`)
      } catch (error) {
        if (isDuplicate(error)) return 'already'
        throw translate('Function Compute', error)
      }
    },
  }
}

/** The name of the code differs between the versions of the API. */
function isDuplicate(error: unknown): boolean {
  return statusOf(error) === 409 || codeOf(error).includes('AlreadyExists')
}

const clientOf = perCredentials(async (config: { readonly endpoint: string }, credentials: Credentials) => {
  const sdk = exportsOf(await import('@alicloud/fc20230330'))
  type SdkConfig = ConstructorParameters<typeof sdk.default>[0]
  const options = openApiConfig(config.endpoint, credentials, TIMEOUT_MS) as SdkConfig
  return { sdk, client: new sdk.default(options) }
})

function openInvokerV3(config: { readonly endpoint: string }, credentials: Credentials): SendInvocation {
  return async (functionName, payload, taskId) => {
    const { sdk, client } = await clientOf(config, credentials)
    const request = new sdk.InvokeFunctionRequest({ body: Readable.from(Buffer.from(payload)) })
    const headers = new sdk.InvokeFunctionHeaders({ xFcInvocationType: 'Async', xFcAsyncTaskId: taskId })
    type Runtime = Parameters<typeof client.invokeFunctionWithOptions>[3]
    const answer = await client.invokeFunctionWithOptions(functionName, request, headers, {} as Runtime)
    answer.body?.resume()
    return answer.statusCode
  }
}
