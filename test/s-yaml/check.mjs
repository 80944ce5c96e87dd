/**
 * Checks s.yaml: `node test/s-yaml/check.mjs [file]`. Our own schema refuses what a deployment would take without a word;
 * where FC3_SCHEMA names the published schema of the fc3 component, every function has to pass that as well.
 */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Ajv } from 'ajv'
import { parse } from 'yaml'

const root = fileURLToPath(new URL('../..', import.meta.url))
const ENV_CALL = /\$\{env\('([A-Z][A-Z0-9_]*)'(?:, '([^']*)')?\)\}/g

/** @typedef {{ functionName: string, code: string, cpu: number, memorySize: number, environmentVariables?: Record<string, unknown>, triggers?: { triggerType: string, triggerConfig: any }[], asyncInvokeConfig?: { destinationConfig?: Record<string, { destination: string }> } }} FunctionProps */
/** @typedef {{ routeConfig: { routes: { path: string, functionName: string }[] } }} DomainProps */
/** @typedef {{ resources: Record<string, { component: string, props: FunctionProps & DomainProps }> }} Document */

/**
 * Everything that is wrong with the text of an s.yaml, as sentences; empty when nothing is.
 * @param {string} text
 * @param {{ fc3Schema?: object & { definitions?: object } }} [options]
 * @returns {string[]}
 */
export function checkSYaml(text, { fc3Schema } = {}) {
  const unknown = text
    .replace(/^\s*#.*$/gm, '')
    .replace(ENV_CALL, '')
    .match(/\$\{[^}]*\}/g)
  if (unknown) return unknown.map((form) => `${form}: only \${env('NAME', 'default')} is understood everywhere`)
  const document = readSYaml(text)
  const ajv = new Ajv({ allErrors: true, discriminator: true, multipleOfPrecision: 6, strictRequired: false })
  const schema = JSON.parse(readFileSync(new URL('schema.json', import.meta.url), 'utf8'))
  const faults = faultsOf(ajv, schema, document, '')
  if (faults.length > 0) return faults
  return [...checkNames(document), ...(fc3Schema ? checkPublished(document, fc3Schema) : [])]
}

/**
 * The text as a deployment reads it that sets nothing. A variable without a default is one that a deployment must be
 * given: any value stands for it here.
 * @param {string} text
 * @returns {Document}
 */
export function readSYaml(text) {
  // Substituted after parsing, as the tools do.
  return parse(text, (_key, value) =>
    typeof value === 'string'
      ? value.replace(ENV_CALL, (_match, _name, fallback) => fallback ?? 'x'.repeat(32))
      : value,
  )
}

/** @param {Ajv} ajv @param {object} schema @param {unknown} value @param {string} where @returns {string[]} */
function faultsOf(ajv, schema, value, where) {
  if (ajv.validate(schema, value)) return []
  return (ajv.errors ?? []).map(({ instancePath, message, params }) => {
    const detail = params.additionalProperty ?? params.allowedValues?.join(', ') ?? params.allowedValue ?? ''
    return `${where}${instancePath}: ${message}${detail === '' ? '' : ` (${detail})`}`
  })
}

/**
 * What a schema cannot say: names that must exist, and the ratio of processor to memory.
 * @param {Document} document
 */
function checkNames({ resources }) {
  const faults = []
  const all = Object.values(resources)
  const functions = all.filter(({ component }) => component === 'fc3').map(({ props }) => props)
  const domains = all.filter(({ component }) => component === 'fc3-domain').map(({ props }) => props)
  const names = new Set(functions.map(({ functionName }) => functionName))
  if (names.size < functions.length) faults.push('two functions have the same functionName')
  for (const props of functions) faults.push(...checkFunction(props, names))
  for (const { routeConfig } of domains) faults.push(...checkRoutes(routeConfig.routes, functions))
  return faults
}

/** @param {FunctionProps} props @param {Set<string>} names */
function checkFunction({ functionName, code, cpu, memorySize, triggers = [], asyncInvokeConfig }, names) {
  const faults = []
  const ratio = memorySize / 1024 / cpu
  if (ratio < 1 || ratio > 4) faults.push(`${functionName}: cpu to GB of memory must be between 1:1 and 1:4`)
  const source = `functions/${code.split('/').at(-1)}/index.ts`
  if (!existsSync(`${root}/${source}`)) faults.push(`${functionName}: nothing builds ${code}, ${source} is missing`)
  if (triggers.filter(({ triggerType }) => triggerType === 'http').length > 1) {
    faults.push(`${functionName}: a function has one HTTP trigger at most`)
  }
  for (const { destination } of Object.values(asyncInvokeConfig?.destinationConfig ?? {})) {
    const target = destination.split('/').at(-1) ?? ''
    if (!names.has(target)) faults.push(`${functionName}: the destination ${target} is not deployed`)
  }
  return faults
}

/** @param {{ path: string, functionName: string }[]} routes @param {FunctionProps[]} functions */
function checkRoutes(routes, functions) {
  const faults = []
  const paths = routes.map(({ path }) => path)
  for (const path of paths.filter((one, index) => paths.indexOf(one) !== index)) faults.push(`${path}: routed twice`)
  for (const { path, functionName } of routes) {
    const target = functions.find((props) => props.functionName === functionName)
    const hasHttp = target?.triggers?.some(({ triggerType }) => triggerType === 'http')
    if (!hasHttp) faults.push(`${path}: ${functionName} is no deployed function with an HTTP trigger`)
  }
  return faults
}

/**
 * The published schema takes any trigger configuration, so each is held against the definition of its own type too.
 * @param {Document} document @param {object & { definitions?: object }} fc3Schema
 */
function checkPublished({ resources }, fc3Schema) {
  const ajv = new Ajv({ allErrors: true, strict: false })
  /** @type {Record<string, string>} */
  const definitions = { http: 'IHttpTriggerConfig', oss: 'IOssTriggerConfig', timer: 'ITimerTriggerConfig' }
  const functions = Object.values(resources).filter(({ component }) => component === 'fc3')
  return functions.flatMap(({ props }) => [
    ...faultsOf(ajv, fc3Schema, props, `fc3 schema, ${props.functionName}`),
    ...(props.triggers ?? []).flatMap(({ triggerType, triggerConfig }) => {
      const schema = { $ref: `#/definitions/${definitions[triggerType]}`, definitions: fc3Schema.definitions }
      return faultsOf(ajv, schema, triggerConfig, `fc3 schema, ${props.functionName}, ${triggerType} trigger`)
    }),
  ])
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const file = process.argv[2] ?? `${root}/s.yaml`
  const published = process.env.FC3_SCHEMA
  const options = published ? { fc3Schema: JSON.parse(readFileSync(published, 'utf8')) } : {}
  const faults = checkSYaml(readFileSync(file, 'utf8'), options)
  for (const fault of faults) console.error(`s.yaml: ${fault}`)
  if (faults.length > 0) process.exit(1)
  console.log(`s.yaml is as expected${published ? ', by the published fc3 schema too' : ''}`)
}
