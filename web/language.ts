import { computed, ref, watchEffect } from 'vue'
import { en } from './lang/en.ts'
import { type CountedKey, fill, type Language, languageFor, type MessageKey } from './lang/fill.ts'
import { REASONS } from './lang/reasons.ts'
import { zh } from './lang/zh.ts'
import { recall, remember } from './memory.ts'

const MESSAGES = { en, zh }

/** The language of the pages. */
export const language = ref<Language>(languageFor(recall('language'), navigator.languages))

/** The tag for `lang` and for `Intl`. */
export const languageTag = computed(() => (language.value === 'zh' ? 'zh-CN' : 'en'))

watchEffect(() => {
  document.documentElement.lang = languageTag.value
})

/** Changes to the other language, and remembers it. */
export function switchLanguage(): void {
  language.value = language.value === 'en' ? 'zh' : 'en'
  remember('language', language.value)
}

/** A sentence in the current language. */
export function t(key: MessageKey, values?: Readonly<Record<string, string | number>>): string {
  return fill(MESSAGES[language.value][key], values)
}

/** A sentence about a number of things. */
export function counted(key: CountedKey, count: number): string {
  const form = new Intl.PluralRules(languageTag.value).select(count) === 'one' ? 'one' : 'other'
  return t(`${key}_${form}`, { count: new Intl.NumberFormat(languageTag.value).format(count) })
}

/** Why something failed, as a sentence for the person in front of the page. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as { code?: unknown; message?: unknown }
  if (code === 'network') return t('error.network')
  const sentence = typeof message === 'string' && message !== '' ? message : String(error)
  return language.value === 'zh' && typeof code === 'string' ? (REASONS[code] ?? sentence) : sentence
}
