/**
 * Looks again and again while the page is seen: `look` answers after how long, or `undefined` when there is nothing left to
 * wait for. Answers a function that ends it.
 */
export function poll(look: () => Promise<number | undefined>): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined
  let busy = false
  let over = false

  async function turn(): Promise<void> {
    if (busy || over || document.hidden) return
    busy = true
    clearTimeout(timer)
    const delay = await look()
    busy = false
    if (delay === undefined) stop()
    else if (!over) timer = setTimeout(turn, delay)
  }

  function stop(): void {
    over = true
    clearTimeout(timer)
    document.removeEventListener('visibilitychange', turn)
    removeEventListener('online', turn)
  }

  document.addEventListener('visibilitychange', turn)
  addEventListener('online', turn)
  void turn()
  return stop
}
