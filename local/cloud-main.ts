import { runCloudCommand } from './cloud-command.ts'

/** `npm run cloud`: runs when it is loaded; everything is in `cloud-command.ts`. */
process.exitCode = await runCloudCommand(process.argv.slice(2), {
  env: process.env,
  process,
  print: (line) => process.stdout.write(`${line}\n`),
})
process.exit()
