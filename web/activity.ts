import { shallowRef } from 'vue'

/** What the uploader is doing, for the rest of the pages, which do not load it. */
export const activity = shallowRef<{ readonly running: number; readonly share: number }>({ running: 0, share: 0 })
