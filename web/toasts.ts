import { reactive } from 'vue'

/** A sentence at the edge of the page, perhaps with something to do about it. */
export interface Toast {
  readonly id: number
  readonly text: string
  readonly tone: 'plain' | 'bad'
  readonly action?: { readonly label: string; run(): void }
}

/** What is shown now, the newest last. */
export const toasts = reactive<Toast[]>([])

const STAY_MS = 10_000
const timers = new Map<number, ReturnType<typeof setTimeout>>()
let lastId = 0

/** Shows a sentence for ten seconds, or longer while somebody is at it. */
export function toast(text: string, options: Partial<Pick<Toast, 'tone' | 'action'>> = {}): void {
  lastId += 1
  toasts.push({ id: lastId, text, tone: 'plain', ...options })
  letGo(lastId)
}

/** Takes a sentence away. */
export function dismiss(id: number): void {
  hold(id)
  const index = toasts.findIndex((one) => one.id === id)
  if (index >= 0) toasts.splice(index, 1)
}

/** Keeps a sentence while the pointer or the focus is on it. */
export function hold(id: number): void {
  clearTimeout(timers.get(id))
  timers.delete(id)
}

/** The opposite of `hold`: the time begins anew. */
export function letGo(id: number): void {
  hold(id)
  timers.set(
    id,
    setTimeout(() => dismiss(id), STAY_MS),
  )
}
