import { type Policy, type Role, roles } from '../../deploy/roles.ts'
import { TABLES } from '../../shared/tables/schema.ts'
import { environmentTables } from './environment.ts'
import { table } from './table.ts'

/** The values that `s.yaml` has without any environment. */
const EXAMPLE = {
  accountId: '1234567890123456',
  region: 'cn-hangzhou',
  bucket: 'yunbo',
  instance: 'yunbo',
  prefix: 'yunbo-',
}

const PARTS: Readonly<Record<string, () => string>> = {
  roles: rolesPart,
  tables: tablesPart,
  environment: environmentTables,
}

/** `docs/deploy.md` with its made parts as they are now; each stands between two comments that name it. */
export function deployPage(page: string): string {
  return Object.entries(PARTS).reduce((text, [name, make]) => {
    const [before, rest] = text.split(`<!-- made: ${name} -->`)
    const after = rest?.split(`<!-- end: ${name} -->`)[1]
    if (before === undefined || after === undefined) throw new Error(`docs/deploy.md has no place for ${name}`)
    return `${before}<!-- made: ${name} -->\n\n${make()}\n\n<!-- end: ${name} -->${after}`
  }, page)
}

function rolesPart(): string {
  const all = roles(EXAMPLE)
  const rows = all.map(({ name, why, policy }) => [`\`${name}\``, why, summary(policy)])
  return [table(['role', 'what for', 'may'], rows), ...all.map(details)].join('\n\n')
}

/** Tables and services that a policy names, without the account's part. */
function summary(policy: Policy): string {
  const services = policy.Statement.flatMap(({ Action }) => Action.map((action) => action.split(':')[0] ?? ''))
  return [...new Set(services)].map((service) => `\`${service}\``).join(', ')
}

function details({ name, policy, trust }: Role): string {
  const principal = trust.Statement.flatMap(({ Principal = {} }) => Object.values(Principal).flat())
  const json = JSON.stringify(policy, null, 2)
  const who = principal.map((one) => `\`${one}\``).join(', ')
  return `<details><summary><code>${name}</code></summary>\n\nTaken on by ${who}.\n\n\`\`\`json\n${json}\n\`\`\`\n\n</details>`
}

function tablesPart(): string {
  const rows = TABLES.map(({ table: name, key, indexes = [], ttlSeconds }) => [
    `\`${name}\``,
    key.map((column) => `\`${column.name}\` (${column.type})`).join(', '),
    indexes.map(({ index, key: columns }) => `\`${index}\` (${columns.join(', ')})`).join(', '),
    ttlSeconds < 0 ? 'for ever' : `${ttlSeconds / 86_400} days`,
  ])
  return table(['table', 'primary key', 'indexes', 'rows live'], rows)
}
