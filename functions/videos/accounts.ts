import * as v from 'valibot'
import type { AccountCreated, SessionCreated } from '../../shared/api.ts'
import { AppError } from '../../shared/errors.ts'
import { checked } from '../../shared/input.ts'
import type { Account, AccountsTable } from '../../shared/tables/accounts.ts'

export interface AccountDeps {
  readonly accounts: AccountsTable
  readonly signup: 'open' | 'closed'
  hashPassword(password: string): Promise<string>
  /** Takes as long without a hash as with one, and is then false. */
  verifyPassword(password: string, hash: string | undefined): Promise<boolean>
  /** A session token of the account and when it ends. */
  openSession(account: Account): Promise<{ readonly token: string; readonly expiresAt: number }>
  newId(): string
}

const name = 'must be 3 to 64 letters (Chinese ones too), digits, dots, underscores or hyphens'
const password = 'must be a text of 8 to 128 characters'

const NewAccount = v.strictObject(
  {
    username: v.pipe(v.string(name), v.normalize('NFC'), v.regex(/^[\p{L}\p{M}\p{Nd}._-]{3,64}$/u, name)),
    password: v.pipe(v.string(password), v.regex(/^.{8,128}$/su, password)),
  },
  'must be a JSON object',
)

/** Signing in asks less, so that a wrong name or password is answered the same way whatever its form. */
const SignIn = v.strictObject(
  {
    username: v.pipe(v.string('must be a text'), v.maxLength(256, 'must be at most 256 characters long')),
    password: v.pipe(v.string('must be a text'), v.maxLength(1024, 'must be at most 1024 characters long')),
  },
  'must be a JSON object',
)

/**
 * Signs somebody up. `repeatable` says that the request carries an idempotency key: then the same name with the same
 * password finds the account of the first try. (No hash of the body is kept: it would be a fast hash of the password.)
 */
export async function signUp(body: unknown, repeatable: boolean, deps: AccountDeps): Promise<AccountCreated> {
  if (deps.signup === 'closed') throw new AppError('signup_closed', 'Accounts are created by the operator here')
  const wanted = checked(NewAccount, body)
  const accountId = deps.newId()
  const passwordHash = await deps.hashPassword(wanted.password)
  const account = { accountId, username: wanted.username, passwordHash, tokenVersion: 1 }
  if (await deps.accounts.create(account)) return { accountId, username: account.username }
  const earlier = repeatable ? await deps.accounts.find(wanted.username) : undefined
  if (earlier && (await deps.verifyPassword(wanted.password, earlier.passwordHash))) {
    return { accountId: earlier.accountId, username: earlier.username }
  }
  throw new AppError('username_taken', 'Choose another username; names that differ only in case are the same')
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
