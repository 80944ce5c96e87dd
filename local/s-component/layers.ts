import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { packageCode } from './package-code.ts'
import type { Step } from './steps.ts'
import { found, type Scene, sdk } from './target.ts'

const ARN = /^acs:fc:[^:]+:[^:]*:layers\/([A-Za-z0-9_-]+)\/versions\/(\d+)$/

/**
 * A step for each layer that the function names, in `arns` afterwards. A version that is not there is made from
 * `dist/layers/NAME` (or what follows a prefix in the name), which is what a deployment publishes by hand.
 */
export function layerSteps(
  props: Readonly<Record<string, unknown>>,
  scene: Scene,
  arns: string[],
): ((isRemoval: boolean) => Promise<Step>)[] {
  const layers = Array.isArray(props.layers) ? props.layers.map(String) : []
  return layers.map((arn) => async (isRemoval) => {
    return isRemoval ? { name: `layer ${arn}`, change: undefined } : layerStep(arn, String(props.runtime), scene, arns)
  })
}

async function layerStep(arn: string, runtime: string, scene: Scene, arns: string[]): Promise<Step> {
  const [, layerName = '', version = ''] = ARN.exec(arn) ?? []
  if (layerName === '') throw new Error(`${arn}: expected acs:fc:REGION:ACCOUNT:layers/NAME/versions/N`)
  const { client } = scene.target
  const name = `layer ${layerName}`
  const present = (await found(client.getLayerVersion(layerName, version)))?.body
  if (present) {
    arns.push(present.layerVersionArn ?? arn)
    return { name, change: undefined }
  }
  const folder = [layerName, layerName.replace(/^[^-]*-/, '')]
    .map((last) => resolve(scene.baseDir, 'dist', 'layers', last))
    .find((path) => existsSync(path))
  if (folder === undefined) {
    scene.logger.warn(`${arn} is not there, nor is dist/layers/${layerName}: the function does without it`)
    return { name, change: undefined, cannotBeHad: true }
  }
  const code = await packageCode(folder)
  const body = new sdk.CreateLayerVersionInput({ code: { zipFile: code.base64 }, compatibleRuntime: [runtime] })
  const run = async () => {
    const made = await client.createLayerVersion(layerName, new sdk.CreateLayerVersionRequest({ body }))
    arns.push(made.body?.layerVersionArn ?? arn)
  }
  return { name, change: { kind: 'created', why: code.size, run } }
}
