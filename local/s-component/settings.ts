import { differences, isRecord } from './compare.ts'
import type { Step } from './steps.ts'
import { found, gone, sdk, type Target } from './target.ts'

type Settings = Readonly<Record<string, unknown>>

/** Settings that the API keeps beside the function: each has one call to read, one to put and one to remove it. */
export function settingSteps(props: Settings, { client }: Target): (() => Promise<Step>)[] {
  const functionName = String(props.functionName)
  const steps: (() => Promise<Step>)[] = []
  const given = (name: string, step: (settings: Settings) => Setting) => {
    const settings = props[name]
    if (isRecord(settings)) steps.push(() => settingStep(name, step(settings)))
  }
  given('concurrencyConfig', (wanted) => ({
    wanted,
    present: () => client.getConcurrencyConfig(functionName),
    put: () =>
      client.putConcurrencyConfig(
        functionName,
        new sdk.PutConcurrencyConfigRequest({ body: new sdk.PutConcurrencyInput(wanted) }),
      ),
    remove: () => client.deleteConcurrencyConfig(functionName),
  }))
  given('asyncInvokeConfig', ({ qualifier = 'LATEST', ...wanted }) => {
    const at = { qualifier: String(qualifier) }
    return {
      wanted,
      present: () => client.getAsyncInvokeConfig(functionName, new sdk.GetAsyncInvokeConfigRequest(at)),
      put: () => {
        const body = new sdk.PutAsyncInvokeConfigInput(wanted)
        return client.putAsyncInvokeConfig(functionName, new sdk.PutAsyncInvokeConfigRequest({ ...at, body }))
      },
      remove: () => client.deleteAsyncInvokeConfig(functionName, new sdk.DeleteAsyncInvokeConfigRequest(at)),
    }
  })
  given('provisionConfig', ({ qualifier = 'LATEST', ...wanted }) => {
    const at = { qualifier: String(qualifier) }
    return {
      wanted,
      present: () => client.getProvisionConfig(functionName, new sdk.GetProvisionConfigRequest(at)),
      put: () => {
        const body = new sdk.PutProvisionConfigInput(wanted)
        return client.putProvisionConfig(functionName, new sdk.PutProvisionConfigRequest({ ...at, body }))
      },
      remove: () => client.deleteProvisionConfig(functionName, new sdk.DeleteProvisionConfigRequest(at)),
    }
  })
  return steps
}

interface Setting {
  readonly wanted: Settings
  present(): Promise<{ readonly body?: { toMap(): Settings } }>
  put(): Promise<unknown>
  remove(): Promise<unknown>
}

async function settingStep(name: string, { wanted, present, put, remove }: Setting): Promise<Step> {
  const body = (await found(present()))?.body?.toMap()
  const differing = differences(wanted, body)
  const step = { name, remove: () => gone(remove()) }
  if (body && differing.length === 0) return { ...step, change: undefined }
  // A function that has no such settings is answered with empty ones by some operations.
  const isNew = !body || differing.length === Object.keys(wanted).length
  return { ...step, change: { kind: isNew ? 'created' : 'updated', why: differing.join(', '), run: put } }
}
