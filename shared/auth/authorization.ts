/** An `Authorization` header taken apart. */
export interface Authorization {
  /** In lower case, since schemes are case-insensitive (RFC 9110, 11.1). */
  readonly scheme: string
  readonly value: string
}

/** Reads `<scheme> <value>`; `undefined` when the header is absent or has another form. */
export function parseAuthorization(header: string | null | undefined): Authorization | undefined {
  const [, scheme, value] = /^([A-Za-z][A-Za-z0-9-]*) +(\S+)$/.exec(header?.trim() ?? '') ?? []
  return scheme && value ? { scheme: scheme.toLowerCase(), value } : undefined
}
