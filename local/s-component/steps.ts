/** Says something to whoever runs the command. */
export interface Logger {
  info(line: string): void
  warn(line: string): void
}

/** Something that is deployed, and what it takes to bring it to what `s.yaml` says. */
export interface Step {
  readonly name: string
  /** Undefined: it is as it should be, or cannot be had. */
  readonly change: Change | undefined
  readonly cannotBeHad?: boolean
  /** Absent: it stays when the rest is removed. Resolves to whether it was there. */
  remove?(): Promise<boolean>
}

interface Change {
  readonly kind: 'created' | 'updated'
  /** What differs, or how large it is. */
  readonly why: string
  run(): Promise<unknown>
}

/**
 * What was compared, in the order of deployment. A step is looked at when those before it have been done; to remove it,
 * what would be deployed does not matter, and need not be there.
 */
type Steps = readonly ((isRemoval: boolean) => Promise<Step>)[]

/** One resource of `s.yaml`: a function with what belongs to it, or a custom domain. */
export interface Resource {
  readonly title: string
  readonly steps: Steps
  info(): Promise<object>
}

type Result = Record<string, 'created' | 'updated' | 'unchanged' | 'removed' | 'not there'>

/** Makes what is missing and changes what differs. */
export async function applyTo({ steps, title }: Resource, logger: Logger): Promise<Result> {
  const result: Result = {}
  for (const look of steps) {
    const { name, change, cannotBeHad } = await look(false)
    await change?.run()
    result[name] = cannotBeHad ? 'not there' : (change?.kind ?? 'unchanged')
    if (change) logger.info(`${change.kind.padEnd(9)} ${title} ${name}${change.why && ` (${change.why})`}`)
  }
  if (Object.values(result).every((state) => state === 'unchanged' || state === 'not there'))
    logger.info(`unchanged ${title}`)
  return result
}

/** Says what `applyTo` would do. */
export async function tell({ steps, title }: Resource, logger: Logger): Promise<void> {
  let changes = 0
  for (const look of steps) {
    const { name, change } = await look(false)
    if (change) logger.info(`would be ${change.kind.padEnd(9)} ${title} ${name}${change.why && ` (${change.why})`}`)
    if (change) changes++
  }
  if (changes === 0) logger.info(`unchanged ${title}`)
}

/** Removes all that is there, the last first. */
export async function removeFrom({ steps, title }: Resource, logger: Logger): Promise<Result> {
  const result: Result = {}
  for (const look of steps.toReversed()) {
    const { name, remove } = await look(true)
    if (!remove) continue
    result[name] = (await remove()) ? 'removed' : 'not there'
    logger.info(`${result[name].padEnd(9)} ${title} ${name}`)
  }
  return result
}
