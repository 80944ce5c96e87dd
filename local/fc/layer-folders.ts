import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { cp, mkdir, rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { LayerName } from './function-config.ts'

/** Where the contents of a layer are; `undefined` when nobody has it here. */
export type FindLayer = (layer: LayerName) => Promise<string | undefined>

/** A folder of the project, `dist/layers/NAME`, by the layer's name or by what follows a prefix in it. */
export function projectLayer(projectDir: string, { name }: LayerName): string | undefined {
  const folders = [name, name.replace(/^[^-]*-/, '')].map((folder) => resolve(projectDir, 'dist', 'layers', folder))
  return folders.find((folder) => existsSync(folder))
}

/**
 * What is mounted at /opt: one layer as it is, several merged into a folder that is kept; of the same file in two, the
 * first one's counts. A layer that is not here is an empty one.
 */
export async function optFolder(
  layers: readonly LayerName[],
  find: FindLayer,
  dirs: { readonly project: string; readonly merged: string },
): Promise<string> {
  const found: string[] = []
  for (const layer of layers) {
    const folder = await find(layer)
    if (folder !== undefined) found.push(folder)
  }
  const [only = resolve(dirs.project, 'dist', 'layers', layers[0]?.name ?? 'none'), ...others] = found
  return others.length === 0 ? only : merge(found, dirs.merged)
}

async function merge(folders: readonly string[], dir: string): Promise<string> {
  const merged = join(dir, createHash('sha256').update(folders.join('\n')).digest('hex').slice(0, 40))
  if (existsSync(merged)) return merged
  const attempt = `${merged}.${process.pid}.${Math.random().toString(36).slice(2)}.new`
  await mkdir(attempt, { recursive: true })
  for (const folder of folders.toReversed()) {
    await cp(folder, attempt, { recursive: true, force: true, verbatimSymlinks: true })
  }
  // Another instance may have been quicker.
  await rename(attempt, merged).catch(() => rm(attempt, { recursive: true, force: true }))
  return merged
}
