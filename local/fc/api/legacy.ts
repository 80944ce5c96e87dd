import { record } from '../manifest-error.ts'
import { type ApiContext, isoTime, type Operation, part } from './call.ts'
import { getFunction, listFunctions } from './functions.ts'

/** The one service that is listed; any other name stands for the same functions. */
const SERVICE = 'default'

/** ListServices of the 2.0 API. */
export const listLegacyServices: Operation = (_call, context) => ({ services: [describeService(SERVICE, context)] })

/** GetService of the 2.0 API. */
export const getLegacyService: Operation = (call, context) => describeService(part(call, 'serviceName'), context)

/** ListFunctions of the 2.0 API. */
export const listLegacyFunctions: Operation = async (call, context) => {
  const page = record(await listFunctions(call, context), 'page')
  const functions = Array.isArray(page.functions) ? page.functions : []
  return { ...page, functions: functions.map((one) => toLegacy(record(one, 'function'))) }
}

/** GetFunction of the 2.0 API. */
export const getLegacyFunction: Operation = async (call, context) =>
  toLegacy(record(await getFunction(call, context), 'function'))

function describeService(serviceName: string, { now }: ApiContext): object {
  const time = isoTime(now())
  return {
    serviceName,
    serviceId: serviceName,
    description: '',
    internetAccess: true,
    createdTime: time,
    lastModifiedTime: time,
  }
}

/** In 2.0 a role, a log and what is said of the last update are not the function's. */
function toLegacy(found: Record<string, unknown>): object {
  const { role: _role, functionArn: _arn, state: _state, lastUpdateStatus: _status, layers, ...rest } = found
  const hooks = record(found.instanceLifecycleConfig ?? {}, 'instanceLifecycleConfig')
  const initializer = hooks.initializer === undefined ? undefined : record(hooks.initializer, 'initializer')
  const arns = Array.isArray(layers) ? layers.map((one) => record(one, 'layer').arn) : []
  return {
    ...rest,
    ...(initializer ? { initializer: initializer.handler, initializationTimeout: initializer.timeout } : {}),
    instanceType: 'e1',
    layers: arns,
    layersArnV2: arns,
  }
}
