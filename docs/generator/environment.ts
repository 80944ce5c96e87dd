import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { SECTIONS } from '../../shared/config.ts'
import { table } from './table.ts'

/** What a variable is for; the rest of its row is read from `shared/config.ts` and `s.yaml`. */
const MEANINGS: Readonly<Record<string, string>> = {
  REGION: 'Where everything is, spelt `cn-hangzhou`.',
  ALIYUN_ACCOUNT_ID: 'The account, for the names of roles.',
  YUNBO_COMPONENT:
    'The component of Serverless Devs; `local/s-component` deploys to [the local cloud](local.md#deploying-to-it).',
  DOMAIN_NAME: 'The custom domain of API and pages. `auto` asks for a test domain, which is good for trying only.',
  FFMPEG_LAYER_ARN: 'The layer that `npm run layer` has filled, once it is published.',
  SECRET_KEY: 'What all keys are derived from: 32 characters or more, random. Changing it ends every session.',
  PUBLIC_URL: 'Origin of API and pages, as browsers see it. The same for every function.',
  OSS_ENDPOINT: 'Where functions reach OSS: the internal address of the region.',
  OSS_PUBLIC_ENDPOINT: 'Where uploaders and players reach OSS; `OSS_ENDPOINT` if it is not given.',
  OSS_BUCKET: 'The bucket for sources and segments.',
  OSS_ADDRESSING:
    '`virtual` puts the bucket into the host name, as the service wants it; `path` is for the local cloud.',
  TABLESTORE_ENDPOINT: 'Where functions reach the instance.',
  TABLESTORE_INSTANCE: 'Name of the instance.',
  STS_ENDPOINT: 'Where functions reach STS.',
  UPLOAD_ROLE_ARN: 'The role that uploaders are given.',
  UPLOAD_SECONDS: 'How long an uploader’s credentials live; no longer than the role’s longest session.',
  INVOKE_ENDPOINT: 'Where functions start functions: `https://<account>.<region>-internal.fc.aliyuncs.com`.',
  FUNCTION_PREFIX: 'What the names of functions begin with.',
  FC_SERVICE: 'The service of FC 2.0 that the functions are in; only for accounts that still have one.',
  SIGNUP: '`open` lets anybody make an account.',
  FFMPEG_PATH: 'The ffmpeg to run; without it, one is looked for.',
  FFPROBE_PATH: 'The ffprobe to run; without it, one is looked for.',
  NODE_MODULES_DIR: 'Where an ffmpeg out of a package may be; for the local cloud.',
  FFMPEG_THREADS: 'Threads of one encoder.',
  MAX_SOURCE_BYTES: 'Largest source.',
  MAX_SOURCE_DURATION_MS: 'Longest source.',
  MAX_SOURCE_PIXELS: 'Largest picture.',
  MAX_SOURCE_STREAMS: 'Most streams in a source.',
  UPLOAD_EXPIRES_MS: 'How long an upload may take.',
  PURGE_AFTER_MS: 'How long a deleted video can be restored, and the row of an upload that came to nothing is kept.',
  PURGE_WAIT_MS: 'How long after a purge one looks for stragglers; rights to write live an hour.',
  LEASE_GRACE_MS: 'How long after the end of its lease a worker may still be storing things.',
  AUDIT_EVERY_MS: 'How often everything is walked through for what was lost.',
}

interface Resource {
  readonly props: { readonly functionName?: string; readonly environmentVariables?: Record<string, string> }
}

/** What `s deploy` reads: each `env(…)` of `s.yaml`, with the value that holds without it. */
export function deploymentVariables(text: string = sYaml()): Map<string, string | undefined> {
  const found = [...text.matchAll(/\$\{env\('(\w+)'(?:, '([^']*)')?\)\}/g)]
  return new Map(found.map(([, name = '', usual]) => [name, usual]))
}

/** The two tables of docs/deploy.md: what a deployment is given, and what each function reads. */
export function environmentTables(): string {
  const deployment = [...deploymentVariables()].map(([name, usual]) => [
    `\`${name}\``,
    usual === undefined ? '**required**' : usual === '' ? '(empty)' : `\`${usual}\``,
    meaningOf(name),
  ])
  const settings = functionSettings().map(({ variable, usual, functions }) => [
    `\`${variable}\``,
    usual,
    functions.length === 0 ? 'not in `s.yaml`; add it where it is wanted' : functions.join(', '),
    meaningOf(variable),
  ])
  return [
    '**For `s deploy`**, in the environment or a `.env` file beside `s.yaml`:',
    table(['variable', 'without it', 'meaning'], deployment),
    '**Read by functions**; an empty value counts as none, and whatever is missing or wrong is said in one error at the start:',
    table(['variable', 'without it', 'given by `s.yaml` to', 'meaning'], settings),
  ].join('\n\n')
}

/** Every setting with what holds when it is not set, and the functions that `s.yaml` gives it to. */
export function functionSettings() {
  const given = givenTo()
  return Object.values(SECTIONS).flatMap((section) =>
    Object.values(section).map((setting) => {
      const { variable, fallback } = setting as {
        variable: string
        fallback?: (env: Record<string, string>) => unknown
      }
      return { variable, usual: usualOf(variable, fallback), functions: given.get(variable) ?? [] }
    }),
  )
}

function usualOf(variable: string, fallback: ((env: Record<string, string>) => unknown) | undefined): string {
  if (!fallback) return '**required**'
  if (variable === 'OSS_PUBLIC_ENDPOINT') return '`OSS_ENDPOINT`'
  const value = fallback({})
  return value === undefined ? 'none' : `\`${value}\``
}

function meaningOf(variable: string): string {
  const meaning = MEANINGS[variable]
  if (meaning !== undefined) return meaning
  throw new Error(`${variable} is not described: say what it is for in docs/generator/environment.ts`)
}

function givenTo(): Map<string, string[]> {
  const { resources } = parse(sYaml()) as { resources: Record<string, Resource> }
  const given = new Map<string, string[]>()
  for (const [name, { props }] of Object.entries(resources)) {
    for (const variable of Object.keys(props.environmentVariables ?? {})) {
      given.set(variable, [...(given.get(variable) ?? []), `\`${name}\``])
    }
  }
  return given
}

function sYaml(): string {
  return readFileSync(new URL('../../s.yaml', import.meta.url), 'utf8')
}
