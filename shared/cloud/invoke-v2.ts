import type { Credentials } from '../auth/credentials.ts'
import { exportsOf } from './common-js.ts'
import { openApiConfig } from './open-api.ts'
import { perCredentials } from './per-credentials.ts'

/** A service of FC 2.0, whose API cannot name functions of 3.0. */
export interface ServiceConfig {
  readonly endpoint: string
  readonly service: string
  readonly timeoutMs: number
}

const clientOf = perCredentials(async (config: ServiceConfig, credentials: Credentials) => {
  const sdk = exportsOf(await import('@alicloud/fc-open20210406'))
  type SdkConfig = ConstructorParameters<typeof sdk.default>[0]
  const options = openApiConfig(config.endpoint, credentials, config.timeoutMs) as SdkConfig
  return { sdk, client: new sdk.default(options) }
})

/** Asynchronous invocations by the API of 2021-04-06. */
export function openInvokerV2(config: ServiceConfig, credentials: Credentials) {
  return async (functionName: string, payload: string, taskId: string) => {
    const { sdk, client } = await clientOf(config, credentials)
    const request = new sdk.InvokeFunctionRequest({ body: Buffer.from(payload) })
    const headers = new sdk.InvokeFunctionHeaders({ xFcInvocationType: 'Async', xFcStatefulAsyncInvocationId: taskId })
    type Runtime = Parameters<typeof client.invokeFunctionWithOptions>[4]
    const answer = await client.invokeFunctionWithOptions(config.service, functionName, request, headers, {} as Runtime)
    return answer.statusCode
  }
}
