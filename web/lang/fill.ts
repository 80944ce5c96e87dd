import type { en } from './en.ts'

/** A sentence of the pages. */
export type MessageKey = keyof typeof en

export type Language = 'en' | 'zh'

/** Sentences that exist for one and for any other number. */
export type CountedKey = MessageKey extends infer Key ? (Key extends `${infer Stem}_one` ? Stem : never) : never

/** Puts values where the template names them. */
export function fill(template: string, values: Readonly<Record<string, string | number>> = {}): string {
  return template.replace(/\{(\w+)\}/g, (found, name: string) => String(values[name] ?? found))
}

/** The language to begin with: the chosen one, else the first wish of the browser that we have, else English. */
export function languageFor(chosen: string | null, wishes: readonly string[]): Language {
  if (chosen === 'en' || chosen === 'zh') return chosen
  const known = wishes.map((wish) => wish.toLowerCase().split('-')[0]).find((wish) => wish === 'en' || wish === 'zh')
  return known === 'zh' ? 'zh' : 'en'
}
