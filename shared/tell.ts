import { errorFields, log } from './log.ts'

export interface TellDeps {
  /** Says that there is something new to look at. */
  notify(mediaId: string): Promise<void>
}

/** Tells that a media has changed. What is not told is found by whoever looks next, so a failure here fails no work. */
export async function tell(mediaId: string, deps: TellDeps): Promise<void> {
  try {
    await deps.notify(mediaId)
  } catch (error) {
    log('warn', 'notice not delivered', { mediaId, ...errorFields(error) })
  }
}
