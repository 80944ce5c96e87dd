import * as v from 'valibot'
import { jsonBody, ok } from '../../shared/http.ts'
import { checked } from '../../shared/input.ts'
import { routes } from '../../shared/routes.ts'

export interface Deps {
  /** Checks the internal signature over query and raw body and gives what was signed; throws `AppError`. */
  verify(query: URLSearchParams, body: string): Readonly<Record<string, string>>
  /** Remembers the nonce; false when it was spent before. */
  spend(nonce: string): Promise<boolean>
  drive(mediaId: string): Promise<void>
}

const format = 'must be 16 letters and digits'
/** The body of `POST /callbacks/transcode`. */
export const Body = v.strictObject(
  { mediaId: v.pipe(v.string(format), v.regex(/^[A-Za-z0-9]{16}$/, format)) },
  'must be a JSON object',
)

/**
 * `POST /callbacks/transcode`: some engine says that a media has changed. A repeat is welcome: it answers the same and
 * looks again, since the first look may have died half-way.
 */
export const onRequest = routes<Deps>((app) => {
  app.get('/healthz/mps-callback', () => ok({ status: 'ok' }))
  app.post('/callbacks/transcode', async (c) => onCallback(c.req.raw, c.env))
})

async function onCallback(request: Request, deps: Deps): Promise<Response> {
  const { nonce = '' } = deps.verify(new URL(request.url).searchParams, await request.clone().text())
  const { mediaId } = checked(Body, await jsonBody(request))
  const first = await deps.spend(nonce)
  await deps.drive(mediaId)
  return ok({ repeated: !first })
}
