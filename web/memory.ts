/** What the browser remembers for us under a name; `null` when it does not, or must not. */
export function recall(name: string): string | null {
  try {
    return localStorage.getItem(`yunbo.${name}`)
  } catch {
    return null
  }
}

/** Asks the browser to remember; `undefined` to forget. That it refuses is no reason to stop. */
export function remember(name: string, value: string | undefined): void {
  try {
    if (value === undefined) localStorage.removeItem(`yunbo.${name}`)
    else localStorage.setItem(`yunbo.${name}`, value)
  } catch {
    // Storage is full or forbidden.
  }
}
