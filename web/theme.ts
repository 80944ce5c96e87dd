import { computed, ref, watchEffect } from 'vue'
import { recall, remember } from './memory.ts'

type Theme = 'light' | 'dark'

const wish = matchMedia('(prefers-color-scheme: dark)')
const system = ref<Theme>(wish.matches ? 'dark' : 'light')
const chosen = ref<Theme | undefined>(themeIn(recall('theme')))

wish.addEventListener('change', ({ matches }) => {
  system.value = matches ? 'dark' : 'light'
})

/** The colours in use: the chosen ones, else those of the system. */
export const theme = computed<Theme>(() => chosen.value ?? system.value)

watchEffect(() => {
  if (chosen.value) document.documentElement.dataset.theme = chosen.value
  else delete document.documentElement.dataset.theme
})

/** Changes to the other colours; choosing what the system has follows the system again. */
export function switchTheme(): void {
  const next = theme.value === 'dark' ? 'light' : 'dark'
  chosen.value = next === system.value ? undefined : next
  remember('theme', chosen.value)
}

function themeIn(text: string | null): Theme | undefined {
  return text === 'light' || text === 'dark' ? text : undefined
}
