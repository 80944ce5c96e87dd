/** Credentials of an account, or (with a token) of a role's session, which expire and rotate. */
export interface Credentials {
  readonly accessKeyId: string
  readonly accessKeySecret: string
  readonly securityToken?: string | undefined
}
