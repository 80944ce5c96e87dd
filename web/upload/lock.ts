/** Runs an action unless another tab is at it: two tabs would send every piece twice. */
export async function exclusively(name: string, action: () => Promise<void>): Promise<void> {
  // Browsers have locks on https and localhost only.
  if (!('locks' in navigator)) return action()
  await navigator.locks.request(name, { ifAvailable: true }, async (lock) => {
    if (!lock) throw Object.assign(new Error('This upload is running in another tab.'), { code: 'elsewhere' })
    await action()
  })
}
