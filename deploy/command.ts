import { parseArgs } from 'node:util'
import { type Place, roles } from './roles.ts'

/** What the command needs of the world. */
export interface Context {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Creates the tables that are missing. */
  createTables(target: Target): Promise<readonly string[]>
  writeFile(path: string, text: string): Promise<void>
  print(line: string): void
}

/** A Tablestore instance, and whoever may create tables in it. */
export interface Target {
  readonly endpoint: string
  readonly instance: string
  readonly accessKeyId: string
  readonly accessKeySecret: string
  readonly securityToken?: string
}

const USAGE = `npm run setup -- <what>

  tables       creates the tables that are missing; asks for TABLESTORE_ENDPOINT, TABLESTORE_INSTANCE and the
               ALIBABA_CLOUD_ACCESS_KEY_ID, _ACCESS_KEY_SECRET (and _SECURITY_TOKEN) of whoever may create them
  roles DIR    writes the RAM roles and policies as JSON, and prints the commands that create them; asks for
               ALIYUN_ACCOUNT_ID, OSS_BUCKET, TABLESTORE_INSTANCE and REGION`

/** `npm run setup`: what a deployment needs besides `s deploy`. Gives the exit status. */
export async function setUp(argv: readonly string[], context: Context): Promise<number> {
  try {
    const { positionals } = parseArgs({ args: [...argv], allowPositionals: true, options: {} })
    const [what, dir, ...more] = positionals
    if (what === 'tables' && dir === undefined) return await tables(context)
    if (what === 'roles' && dir !== undefined && more.length === 0) return await writeRoles(dir, context)
    context.print(USAGE)
  } catch (error) {
    context.print(error instanceof Error ? error.message : String(error))
  }
  return 1
}

async function tables({ env, createTables, print }: Context): Promise<number> {
  const [endpoint, instance, accessKeyId, accessKeySecret] = needed(env, [
    'TABLESTORE_ENDPOINT',
    'TABLESTORE_INSTANCE',
    'ALIBABA_CLOUD_ACCESS_KEY_ID',
    'ALIBABA_CLOUD_ACCESS_KEY_SECRET',
  ])
  const securityToken = env.ALIBABA_CLOUD_SECURITY_TOKEN
  const keys = { accessKeyId, accessKeySecret, ...(securityToken ? { securityToken } : {}) }
  const created = await createTables({ endpoint, instance, ...keys })
  print(created.length === 0 ? `${instance} has every table` : `created in ${instance}: ${created.join(', ')}`)
  return 0
}

async function writeRoles(dir: string, { env, writeFile, print }: Context): Promise<number> {
  const [accountId, bucket, instance, region] = needed(env, [
    'ALIYUN_ACCOUNT_ID',
    'OSS_BUCKET',
    'TABLESTORE_INSTANCE',
    'REGION',
  ])
  const place: Place = { accountId, bucket, instance, region, prefix: 'yunbo-' }
  for (const { name, trust, policy } of roles(place)) {
    const [trustFile, policyFile] = [`${dir}/${name}.trust.json`, `${dir}/${name}.policy.json`]
    await writeFile(trustFile, `${JSON.stringify(trust, null, 2)}\n`)
    await writeFile(policyFile, `${JSON.stringify(policy, null, 2)}\n`)
    print(`aliyun ram CreateRole --RoleName ${name} --AssumeRolePolicyDocument "$(cat ${trustFile})"`)
    print(`aliyun ram CreatePolicy --PolicyName ${name} --PolicyDocument "$(cat ${policyFile})"`)
    print(`aliyun ram AttachPolicyToRole --PolicyType Custom --PolicyName ${name} --RoleName ${name}`)
  }
  return 0
}

/** The values of variables, all of them; one error names every one that is missing. */
function needed<const Names extends readonly string[]>(
  env: Context['env'],
  names: Names,
): { [K in keyof Names]: string } {
  const missing = names.filter((name) => !env[name])
  if (missing.length > 0) throw new Error(`Set ${missing.join(', ')}`)
  return names.map((name) => env[name] ?? '') as { [K in keyof Names]: string }
}
