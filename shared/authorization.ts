import { type Authorization, parseAuthorization } from './auth/authorization.ts'
import { AppError } from './errors.ts'
import type { HeaderReader } from './plain.ts'

/** The `Authorization` of a request; throws `unauthenticated`, saying which schemes are expected here. */
export function authorizationOf(
  request: { readonly headers: HeaderReader },
  schemes: readonly string[],
): Authorization {
  const given = parseAuthorization(request.headers.get('authorization'))
  if (given && schemes.some((scheme) => scheme.toLowerCase() === given.scheme)) return given
  throw new AppError('unauthenticated', `Expected ${schemes.map((name) => `"Authorization: ${name} …"`).join(' or ')}`)
}
