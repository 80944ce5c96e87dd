/**
 * The exports of a CommonJS module that was compiled from an ES module, whichever way the loader presents it: Node and
 * bundles put all exports under `default`, others merge them into the namespace.
 */
export function exportsOf<Exports extends { readonly default: unknown }>(loaded: {
  readonly default: Exports
}): Exports {
  return 'default' in loaded.default ? loaded.default : (loaded as unknown as Exports)
}
