import { differences } from './compare.ts'
import type { Resource, Step } from './steps.ts'
import { found, gone, sdk, type Target } from './target.ts'

type Props = Readonly<Record<string, unknown>>

/** A resource of component fc3-domain. https://github.com/devsapp/fc3-domain/blob/main/src/schema.json */
export function domainResource(props: Props, target: Target): Resource {
  const { client } = target
  const domainName = props.domainName === 'auto' ? target.ownDomain : String(props.domainName)
  return {
    title: `domain ${domainName}`,
    steps: [() => domainStep(domainName, props, target)],
    async info() {
      const present = (await found(client.getCustomDomain(domainName)))?.body
      return present ? present.toMap() : { domainName, state: 'not there' }
    },
  }
}

async function domainStep(domainName: string, props: Props, { client }: Target): Promise<Step> {
  const names = ['protocol', 'routeConfig', 'certConfig', 'tlsConfig', 'authConfig', 'wafConfig']
  const wanted = Object.fromEntries(
    names.filter((name) => props[name] !== undefined).map((name) => [name, props[name]]),
  )
  const step = { name: 'domain', remove: () => gone(client.deleteCustomDomain(domainName)) }
  const present = (await found(client.getCustomDomain(domainName)))?.body?.toMap()
  if (!present) {
    const body = new sdk.CreateCustomDomainInput({ domainName, ...wanted })
    const run = () => client.createCustomDomain(new sdk.CreateCustomDomainRequest({ body }))
    return { ...step, change: { kind: 'created', why: '', run } }
  }
  const differing = differences(wanted, present)
  if (differing.length === 0) return { ...step, change: undefined }
  const body = new sdk.UpdateCustomDomainInput(wanted)
  const run = () => client.updateCustomDomain(domainName, new sdk.UpdateCustomDomainRequest({ body }))
  return { ...step, change: { kind: 'updated', why: differing.join(', '), run } }
}
