import type { Operation } from './call.ts'
import * as domains from './domains.ts'
import * as functions from './functions.ts'
import * as layers from './layers.ts'
import { getLegacyFunction, getLegacyService, listLegacyFunctions, listLegacyServices } from './legacy.ts'
import * as settings from './settings.ts'
import * as tags from './tags.ts'
import * as tasks from './tasks.ts'
import * as triggers from './triggers.ts'
import * as versions from './versions.ts'

/** One operation of the API: where it is, what it is called, and what a policy has to name for it. */
export interface Entry {
  readonly action: string
  readonly method: string
  readonly pattern: RegExp
  /** Names of the parts of the path that are not fixed, in order. */
  readonly names: readonly string[]
  readonly operation: Operation
}

/** Finds the operation of a request; paths are compared before anything in them is decoded. */
export function findEntry(method: string, path: string): { entry: Entry; values: readonly string[] } | undefined {
  for (const entry of TABLE) {
    const match = entry.method === method ? entry.pattern.exec(path) : null
    if (match) return { entry, values: match.slice(1) }
  }
  return undefined
}

const F = '/2023-03-30/functions/{functionName}'

/** https://www.alibabacloud.com/help/en/functioncompute/fc/developer-reference/api-fc-2023-03-30-overview */
const TABLE: readonly Entry[] = [
  at('POST', '/2023-03-30/functions', 'CreateFunction', functions.createFunction),
  at('GET', '/2023-03-30/functions', 'ListFunctions', functions.listFunctions),
  at('GET', F, 'GetFunction', functions.getFunction),
  at('PUT', F, 'UpdateFunction', functions.updateFunction),
  at('DELETE', F, 'DeleteFunction', functions.deleteFunction),
  at('GET', `${F}/code`, 'GetFunctionCode', functions.getFunctionCode),
  at('POST', `${F}/triggers`, 'CreateTrigger', triggers.createTrigger),
  at('GET', `${F}/triggers`, 'ListTriggers', triggers.listTriggers),
  at('GET', `${F}/triggers/{triggerName}`, 'GetTrigger', triggers.getTrigger),
  at('PUT', `${F}/triggers/{triggerName}`, 'UpdateTrigger', triggers.updateTrigger),
  at('DELETE', `${F}/triggers/{triggerName}`, 'DeleteTrigger', triggers.deleteTrigger),
  at('POST', `${F}/versions`, 'PublishFunctionVersion', versions.publishFunctionVersion),
  at('GET', `${F}/versions`, 'ListFunctionVersions', versions.listFunctionVersions),
  at('DELETE', `${F}/versions/{versionId}`, 'DeleteFunctionVersion', versions.deleteFunctionVersion),
  at('POST', `${F}/aliases`, 'CreateAlias', versions.createAlias),
  at('GET', `${F}/aliases`, 'ListAliases', versions.listAliases),
  at('GET', `${F}/aliases/{aliasName}`, 'GetAlias', versions.getAlias),
  at('PUT', `${F}/aliases/{aliasName}`, 'UpdateAlias', versions.updateAlias),
  at('DELETE', `${F}/aliases/{aliasName}`, 'DeleteAlias', versions.deleteAlias),
  at('PUT', `${F}/async-invoke-config`, 'PutAsyncInvokeConfig', settings.putAsyncInvokeConfig),
  at('GET', `${F}/async-invoke-config`, 'GetAsyncInvokeConfig', settings.getAsyncInvokeConfig),
  at('DELETE', `${F}/async-invoke-config`, 'DeleteAsyncInvokeConfig', settings.deleteAsyncInvokeConfig),
  at('GET', '/2023-03-30/async-invoke-configs', 'ListAsyncInvokeConfigs', settings.listAsyncInvokeConfigs),
  at('PUT', `${F}/concurrency`, 'PutConcurrencyConfig', settings.putConcurrencyConfig),
  at('GET', `${F}/concurrency`, 'GetConcurrencyConfig', settings.getConcurrencyConfig),
  at('DELETE', `${F}/concurrency`, 'DeleteConcurrencyConfig', settings.deleteConcurrencyConfig),
  at('GET', '/2023-03-30/concurrency-configs', 'ListConcurrencyConfigs', settings.listConcurrencyConfigs),
  at('PUT', `${F}/provision-config`, 'PutProvisionConfig', settings.putProvisionConfig),
  at('GET', `${F}/provision-config`, 'GetProvisionConfig', settings.getProvisionConfig),
  at('DELETE', `${F}/provision-config`, 'DeleteProvisionConfig', settings.deleteProvisionConfig),
  at('GET', '/2023-03-30/provision-configs', 'ListProvisionConfigs', settings.listProvisionConfigs),
  at('PUT', `${F}/scaling-config`, 'PutScalingConfig', settings.putScalingConfig),
  at('GET', `${F}/scaling-config`, 'GetScalingConfig', settings.getScalingConfig),
  at('DELETE', `${F}/scaling-config`, 'DeleteScalingConfig', settings.deleteScalingConfig),
  at('GET', '/2023-03-30/scaling-configs', 'ListScalingConfigs', settings.listScalingConfigs),
  at('POST', `${F}/vpc-bindings`, 'CreateVpcBinding', settings.createVpcBinding),
  at('GET', `${F}/vpc-bindings`, 'ListVpcBindings', settings.listVpcBindings),
  at('DELETE', `${F}/vpc-bindings/{vpcId}`, 'DeleteVpcBinding', settings.deleteVpcBinding),
  at('GET', `${F}/async-tasks`, 'ListAsyncTasks', tasks.listAsyncTasks),
  at('GET', `${F}/async-tasks/{taskId}`, 'GetAsyncTask', tasks.getAsyncTask),
  at('PUT', `${F}/async-tasks/{taskId}/stop`, 'StopAsyncTask', tasks.stopAsyncTask),
  at('POST', '/2023-03-30/custom-domains', 'CreateCustomDomain', domains.createCustomDomain),
  at('GET', '/2023-03-30/custom-domains', 'ListCustomDomains', domains.listCustomDomains),
  at('GET', '/2023-03-30/custom-domains/{domainName}', 'GetCustomDomain', domains.getCustomDomain),
  at('PUT', '/2023-03-30/custom-domains/{domainName}', 'UpdateCustomDomain', domains.updateCustomDomain),
  at('DELETE', '/2023-03-30/custom-domains/{domainName}', 'DeleteCustomDomain', domains.deleteCustomDomain),
  at('GET', '/2023-03-30/layers', 'ListLayers', layers.listLayers),
  at('PUT', '/2023-03-30/layers/{layerName}/acl', 'PutLayerACL', layers.putLayerAcl),
  at('POST', '/2023-03-30/layers/{layerName}/versions', 'CreateLayerVersion', layers.createLayerVersion),
  at('GET', '/2023-03-30/layers/{layerName}/versions', 'ListLayerVersions', layers.listLayerVersions),
  at('GET', '/2023-03-30/layers/{layerName}/versions/{version}', 'GetLayerVersion', layers.getLayerVersion),
  at('DELETE', '/2023-03-30/layers/{layerName}/versions/{version}', 'DeleteLayerVersion', layers.deleteLayerVersion),
  at('GET', '/2023-03-30/layerarn/{arn}', 'GetLayerVersionByArn', layers.getLayerVersionByArn),
  at('POST', '/2023-03-30/tags-v2', 'TagResources', tags.tagResources),
  at('GET', '/2023-03-30/tags-v2', 'ListTagResources', tags.listTagResources),
  at('DELETE', '/2023-03-30/tags-v2', 'UntagResources', tags.untagResources),
  at('GET', '/2021-04-06/services', 'ListServices', listLegacyServices),
  at('GET', '/2021-04-06/services/{serviceName}', 'GetService', getLegacyService),
  at('GET', '/2021-04-06/services/{serviceName}/functions', 'ListFunctions', listLegacyFunctions),
  at('GET', '/2021-04-06/services/{serviceName}/functions/{functionName}', 'GetFunction', getLegacyFunction),
  at(
    'GET',
    '/2021-04-06/services/{serviceName}/functions/{functionName}/code',
    'GetFunctionCode',
    functions.getFunctionCode,
  ),
]

function at(method: string, path: string, action: string, operation: Operation): Entry {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name)
  const pattern = new RegExp(`^${path.replace(/\{\w+\}/g, '([^/]+)')}$`)
  return { action, method, pattern, names, operation }
}
