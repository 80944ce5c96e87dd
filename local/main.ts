import { policiesByRole } from '../deploy/roles.ts'
import { openSchema } from '../shared/cloud/tablestore.ts'
import { createTables } from '../shared/tables/schema.ts'
import { runCommand } from './command.ts'

/** `npm start`: runs when it is loaded; everything is in `command.ts`. */
process.exitCode = await runCommand(process.argv.slice(2), {
  env: process.env,
  process,
  rolePolicies: (place) => policiesByRole({ ...place, prefix: 'yunbo-' }),
  createTables: ({ endpoint, instance, ...keys }) => createTables(openSchema({ endpoint, instance }, keys)),
  print: (line) => process.stdout.write(`${line}\n`),
})
// Clients of the vendor's SDKs may keep sockets open.
process.exit()
