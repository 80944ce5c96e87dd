import { ConnectionCut } from '../../wire/intercept.ts'

/** Where the work on images and videos is done, a few at a time. */
export interface Processing {
  /** Runs a job as soon as there is room; one whose client has gone by then is not begun. */
  run<Result>(client: AbortSignal, job: () => Promise<Result>): Promise<Result>
  /** Path of ffmpeg, looked for once. */
  ffmpeg(): Promise<string | undefined>
}

const AT_ONCE = 2

/** Opens such a place. */
export function openProcessing(findFfmpeg: () => Promise<string | undefined>): Processing {
  const waiting: (() => void)[] = []
  let running = 0
  let found: Promise<string | undefined> | undefined

  async function enter(): Promise<void> {
    if (running >= AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve))
    else running += 1
  }

  /** Hands the place over to whoever waits longest. */
  function leave(): void {
    const next = waiting.shift()
    if (next) next()
    else running -= 1
  }

  return {
    async run(client, job) {
      await enter()
      try {
        if (client.aborted) throw new ConnectionCut()
        return await job()
      } finally {
        leave()
      }
    },
    ffmpeg() {
      found ??= findFfmpeg()
      return found
    },
  }
}
