import { resolve } from 'node:path'
import { domainResource } from './domain.ts'
import { functionResource } from './function.ts'
import { applyTo, type Logger, type Resource, removeFrom, tell } from './steps.ts'
import { openTarget, type Place, type Target } from './target.ts'

export type { Logger } from './steps.ts'

/** What Serverless Devs hands to a component's method, as far as it is used here. */
export interface Inputs {
  readonly props: Readonly<Record<string, unknown>>
  readonly cwd?: string
  readonly yaml?: { readonly path?: string }
  getCredential(): ReturnType<Place['credential']>
}

/** Runs one command on one resource; what it gives back is printed by Serverless Devs. */
export async function run(
  command: 'deploy' | 'plan' | 'info' | 'remove',
  inputs: Inputs,
  { logger, env }: { readonly logger: Logger; readonly env: Place['env'] },
): Promise<object | undefined> {
  const baseDir = inputs.yaml?.path ? resolve(inputs.yaml.path, '..') : (inputs.cwd ?? process.cwd())
  const target = await openTarget({ props: inputs.props, baseDir, env, credential: () => inputs.getCredential() })
  const resource = resourceOf(inputs.props, baseDir, target, logger)
  if (command === 'info') return resource.info()
  if (command === 'remove') return removeFrom(resource, logger)
  if (command === 'deploy') return applyTo(resource, logger)
  await tell(resource, logger)
  return undefined
}

function resourceOf(
  props: Readonly<Record<string, unknown>>,
  baseDir: string,
  target: Target,
  logger: Logger,
): Resource {
  if (props.functionName !== undefined) return functionResource(props, { baseDir, target, logger })
  if (props.domainName !== undefined) return domainResource(props, target)
  throw new Error('expected a functionName, as fc3 takes it, or a domainName, as fc3-domain does')
}
