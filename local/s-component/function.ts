import { resolve } from 'node:path'
import { differences, isRecord, sameEntries } from './compare.ts'
import { layerSteps } from './layers.ts'
import { packageCode } from './package-code.ts'
import { settingSteps } from './settings.ts'
import type { Logger, Resource, Step } from './steps.ts'
import { found, gone, type Scene, sdk, type Target } from './target.ts'
import { triggerSteps } from './triggers.ts'

type Props = Readonly<Record<string, unknown>>

/** Settings of the function itself; the other props are resources of their own. */
const FIELDS = [
  ...['functionName', 'runtime', 'handler', 'description', 'cpu', 'memorySize', 'diskSize', 'timeout', 'idleTimeout'],
  ...['internetAccess', 'instanceConcurrency', 'instanceIsolationMode', 'sessionAffinity', 'sessionAffinityConfig'],
  ...['customRuntimeConfig', 'customContainerConfig', 'customDNS', 'instanceLifecycleConfig', 'gpuConfig'],
  ...['vpcConfig', 'nasConfig', 'ossMountConfig', 'logConfig', 'tracingConfig', 'disableOndemand', 'tags'],
]

const OTHERS = ['region', 'endpoint', 'code', 'role', 'layers', 'environmentVariables', 'triggers', 'supplement']
const SETTINGS = ['asyncInvokeConfig', 'concurrencyConfig', 'provisionConfig']

/** A resource of component fc3. https://github.com/devsapp/fc3/blob/master/src/schema.json */
export function functionResource(props: Props, scene: Scene): Resource {
  const { client } = scene.target
  const name = String(props.functionName)
  const unknown = Object.keys(props).filter((key) => ![...FIELDS, ...OTHERS, ...SETTINGS].includes(key))
  if (unknown.length > 0) throw new Error(`${name}: the local component does not know ${unknown.join(', ')}`)
  const layers: string[] = []
  return {
    title: name,
    steps: [
      ...layerSteps(props, scene, layers),
      (isRemoval) => (isRemoval ? functionRemoval(name, scene.target) : functionStep(props, scene, layers)),
      ...settingSteps(props, scene.target),
      ...triggerSteps(props, scene.target),
    ],
    async info() {
      const body = await found(client.getFunction(name, new sdk.GetFunctionRequest({})))
      if (!body?.body) return { functionName: name, state: 'not there' }
      const triggers = await client.listTriggers(name, new sdk.ListTriggersRequest({ limit: 100 }))
      return { ...body.body.toMap(), triggers: (triggers.body?.triggers ?? []).map((trigger) => trigger.toMap()) }
    },
  }
}

async function functionRemoval(functionName: string, target: Target): Promise<Step> {
  return { name: 'function', change: undefined, remove: () => removeFunction(target, functionName) }
}

async function functionStep(
  props: Props,
  { baseDir, target, logger }: Scene,
  layers: readonly string[],
): Promise<Step> {
  const { client } = target
  const functionName = String(props.functionName)
  const wanted = wantedSettings(props, target, layers, logger)
  const code = await packageCode(resolve(baseDir, codePath(props)))
  const present = (await found(client.getFunction(functionName, new sdk.GetFunctionRequest({}))))?.body?.toMap()
  const step = await functionRemoval(functionName, target)
  if (!present) {
    const body = new sdk.CreateFunctionInput({ ...wanted, code: { zipFile: code.base64 } })
    const run = () => client.createFunction(new sdk.CreateFunctionRequest({ body }))
    return { ...step, change: { kind: 'created', why: code.size, run } }
  }
  const isSameCode = present.codeChecksum === code.checksum
  const differing = [...differingSettings(wanted, present), ...(isSameCode ? [] : [`code, ${code.size}`])]
  if (differing.length === 0) return step
  const body = new sdk.UpdateFunctionInput({ ...wanted, ...(isSameCode ? {} : { code: { zipFile: code.base64 } }) })
  const run = () => client.updateFunction(functionName, new sdk.UpdateFunctionRequest({ body }))
  return { ...step, change: { kind: 'updated', why: differing.join(', '), run } }
}

/** What the API is to be told, in its words. */
function wantedSettings(props: Props, { accountId }: Target, layers: readonly string[], logger: Logger) {
  const given = FIELDS.filter((name) => props[name] !== undefined && props[name] !== null)
  const automatic = given.filter((name) => props[name] === 'auto' && name !== 'logConfig')
  // Networks, disks and the log service are made by fc3; here there are none, and logs are files.
  for (const name of automatic) logger.warn(`${String(props.functionName)}: ${name}: auto stands for nothing here`)
  const variables = isRecord(props.environmentVariables) ? props.environmentVariables : {}
  return {
    ...Object.fromEntries(given.filter((name) => props[name] !== 'auto').map((name) => [name, props[name]])),
    ...(typeof props.role === 'string' && props.role !== 'auto' ? { role: roleArn(props.role, accountId) } : {}),
    layers,
    environmentVariables: Object.fromEntries(
      Object.entries(variables).map(([name, value]) => [name, value === null ? '' : String(value)]),
    ),
  }
}

/** As fc3 does, a name becomes an ARN, and either is lower-cased. */
function roleArn(role: string, accountId: string): string {
  return (role.includes(':') ? role : `acs:ram::${accountId}:role/${role}`).toLowerCase()
}

function codePath({ functionName, code }: Props): string {
  if (typeof code === 'string') return code
  if (isRecord(code) && typeof code.src === 'string') return code.src
  throw new Error(`${String(functionName)}.code: expected a folder or an archive`)
}

function differingSettings(wanted: ReturnType<typeof wantedSettings>, present: Props): string[] {
  const { layers, environmentVariables, ...settings } = wanted
  const arns = Array.isArray(present.layers) ? present.layers.map((layer) => (isRecord(layer) ? layer.arn : layer)) : []
  return [
    ...differences(settings, present),
    ...(differences({ layers }, { layers: arns }).length > 0 ? ['layers'] : []),
    ...(sameEntries(environmentVariables, present.environmentVariables) ? [] : ['environmentVariables']),
  ]
}

/** Triggers, also those that are not in `s.yaml`, would keep a function from being removed. */
async function removeFunction({ client }: Target, functionName: string): Promise<boolean> {
  const listed = await found(client.listTriggers(functionName, new sdk.ListTriggersRequest({ limit: 100 })))
  for (const { triggerName = '' } of listed?.body?.triggers ?? []) {
    await gone(client.deleteTrigger(functionName, triggerName))
  }
  return gone(client.deleteFunction(functionName))
}
