import { watchEffect } from 'vue'

/** Keeps the title of the window in step with the page. */
export function useTitle(title: () => string): void {
  watchEffect(() => {
    const text = title()
    document.title = text === '' ? 'Yunbo' : `${text} · Yunbo`
  })
}
