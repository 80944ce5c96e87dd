import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { openSchema } from '../shared/cloud/tablestore.ts'
import { createTables, TABLES } from '../shared/tables/schema.ts'
import { setUp } from './command.ts'

/** `npm run setup`: runs when it is loaded; everything is in `command.ts`. */
process.exitCode = await setUp(process.argv.slice(2), {
  env: process.env,
  async createTables({ endpoint, instance, ...credentials }) {
    const schema = openSchema({ endpoint, instance }, credentials)
    const before = new Set(await schema.list())
    await createTables(schema)
    return TABLES.map(({ table }) => table).filter((table) => !before.has(table))
  },
  async writeFile(path, text) {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text)
  },
  print: (line) => console.log(line),
})
// Clients of the vendor's SDKs may keep sockets open.
process.exit()
