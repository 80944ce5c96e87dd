/**
 * Where Serverless Devs enters: it takes a folder for a component, loads its `main` with `require` and calls a method
 * for each command. The work is done by what `index.ts` is bundled to, which is built when it is stale.
 */

/** @param {string} summary */
const help = (summary) => ({ help: { summary, description: summary } })

/** @typedef {import('./index.ts').Inputs} Inputs */

/** A component: the same `props` as fc3 and fc3-domain, and the local cloud for the service. */
module.exports = class LocalFunctionCompute {
  /** @param {{ logger: import('./index.ts').Logger }} options */
  constructor({ logger }) {
    this.logger = logger
    /** What `s RESOURCE COMMAND --help` prints. */
    this.commands = {
      deploy: help(
        'Brings function, layers, triggers, settings or domain to what s.yaml says; changes only what differs',
      ),
      plan: help('Says what deploy would do'),
      info: help('Shows what is deployed'),
      remove: help('Removes function and triggers, or the domain; layers stay'),
    }
  }

  /** @param {Inputs} inputs */
  deploy(inputs) {
    return this.run('deploy', inputs)
  }

  /** @param {Inputs} inputs */
  plan(inputs) {
    return this.run('plan', inputs)
  }

  /** @param {Inputs} inputs */
  info(inputs) {
    return this.run('info', inputs)
  }

  /** @param {Inputs} inputs */
  remove(inputs) {
    return this.run('remove', inputs)
  }

  /** @param {'deploy' | 'plan' | 'info' | 'remove'} command @param {Inputs} inputs */
  async run(command, inputs) {
    const { build } = await import('../../build.mjs')
    await build({ only: 's-component' })
    const built = new URL('../../dist/s-component/index.mjs', `file://${__dirname}/`).href
    /** @type {typeof import('./index.ts')} */
    const component = await import(built)
    return component.run(command, inputs, { logger: this.logger, env: process.env })
  }
}
