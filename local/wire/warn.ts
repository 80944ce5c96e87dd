/** Tells whoever runs the local cloud of a fault of its own, with where it came about. */
export function warn(error: unknown, service: string): void {
  process.emitWarning(error instanceof Error ? (error.stack ?? error.message) : String(error), service)
}
