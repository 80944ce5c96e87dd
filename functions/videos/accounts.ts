import * as v from 'valibot'
import type { AccountCreated, SessionCreated } from '../../shared/api.ts'
import { AppError } from '../../shared/errors.ts'
import { conflict, firstWith } from '../../shared/idempotency.ts'
import { checked } from '../../shared/input.ts'
import type { Account, AccountsTable } from '../../shared/tables/accounts.ts'
import type { IdempotencyTable } from '../../shared/tables/idempotency.ts'

export interface AccountDeps {
  readonly accounts: AccountsTable
  readonly idempotency: IdempotencyTable
  readonly signup: 'open' | 'closed'
  hashPassword(password: string): Promise<string>
  /** Takes as long without a hash as with one, and is then false. */
  verifyPassword(password: string, hash: string | undefined): Promise<boolean>
  /** A session token of the account and when it ends. */
  openSession(account: Account): Promise<{ readonly token: string; readonly expiresAt: number }>
  newId(): string
  now(): number
}

const name = 'must be 3 to 64 letters (Chinese ones too), digits, dots, underscores or hyphens'
const password = 'must be a text of 8 to 128 characters'

/** The body of `POST /v1/accounts`. */
export const NewAccount = v.strictObject(
  {
    username: v.pipe(v.string(name), v.normalize('NFC'), v.regex(/^[\p{L}\p{M}\p{Nd}._-]{3,64}$/u, name)),
    password: v.pipe(v.string(password), v.regex(/^.{8,128}$/su, password)),
  },
  'must be a JSON object',
)

/** Signing in asks less, so that a wrong name or password is answered the same way whatever its form. */
export const SignIn = v.strictObject(
  {
    username: v.pipe(v.string('must be a text'), v.maxLength(256, 'must be at most 256 characters long')),
    password: v.pipe(v.string('must be a text'), v.maxLength(1024, 'must be at most 1024 characters long')),
  },
  'must be a JSON object',
)

/**
 * Signs somebody up. With an idempotency key, the same name and password find the account of the first try. The password
 * is compared with the account's own hash: to keep one of the body, as elsewhere, would be a fast hash of the password.
 */
export async function signUp(body: unknown, key: string | undefined, deps: AccountDeps): Promise<AccountCreated> {
  if (deps.signup === 'closed') throw new AppError('signup_closed', 'Accounts are created by the operator here')
  const { username, password } = checked(NewAccount, body)
  const accountId = await accountIdFor(username, key, deps)
  const passwordHash = await deps.hashPassword(password)
  if (await deps.accounts.create({ accountId, username, passwordHash, tokenVersion: 1 })) return { accountId, username }
  const earlier = await deps.accounts.find(username)
  if (earlier?.accountId !== accountId) {
    throw new AppError('username_taken', 'Choose another username; names that differ only in case are the same')
  }
  if (await deps.verifyPassword(password, earlier.passwordHash)) return { accountId, username: earlier.username }
  throw conflict()
}

/** A new id, or the one that the first request with this key has chosen. */
async function accountIdFor(username: string, key: string | undefined, deps: AccountDeps): Promise<string> {
  const resourceId = deps.newId()
  if (key === undefined) return resourceId
  return firstWith({ key: `anybody#accounts#${key}`, body: username, resourceId }, deps.idempotency, deps.now())
}

/** Signs in. An unknown name takes as long as a wrong password, and is answered the same. */
export async function signIn(body: unknown, deps: AccountDeps): Promise<SessionCreated> {
  const given = checked(SignIn, body)
  const account = await deps.accounts.find(given.username)
  const right = await deps.verifyPassword(given.password, account?.passwordHash)
  if (!account || !right) throw new AppError('wrong_credentials', 'The username or the password is wrong')
  const { token, expiresAt } = await deps.openSession(account)
  return { token, expiresAt: new Date(expiresAt).toISOString() }
}
