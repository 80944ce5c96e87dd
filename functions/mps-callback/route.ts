import * as v from 'valibot'
import { AppError } from '../../shared/errors.ts'

export interface Deps {
  /** Checks the internal signature over query and raw body and returns its nonce; throws `AppError`. */
  verify(query: URLSearchParams, body: string): { readonly nonce: string }
  /** Remembers the nonce; false when it was spent before. */
  spend(nonce: string): Promise<boolean>
  drive(mediaId: string): Promise<void>
}

const Body = v.strictObject({
  mediaId: v.pipe(v.string(), v.regex(/^[A-Za-z0-9]{16}$/, 'mediaId has 16 letters or digits')),
})

/**
 * `POST /callbacks/transcode`: some engine says that a media has changed. A repeat is welcome: it answers the same and
 * looks again, since the first look may have died half-way.
 */
export async function onCallback(request: Request, deps: Deps): Promise<Response> {
  const body = await request.text()
  const { nonce } = deps.verify(new URL(request.url).searchParams, body)
  const parsed = v.safeParse(Body, parseJson(body))
  if (!parsed.success) throw new AppError('invalid_request', v.summarize(parsed.issues))
  const first = await deps.spend(nonce)
  await deps.drive(parsed.output.mediaId)
  return Response.json({ data: { repeated: !first } })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new AppError('invalid_json', 'the body must be a JSON object', { cause })
  }
}
