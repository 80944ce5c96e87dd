import { type TableClient, winWrite } from './client.ts'

/** Someone who can sign in. */
export interface Account {
  readonly accountId: string
  readonly username: string
  readonly passwordHash: string
  /** Raised to sign out everywhere. */
  readonly tokenVersion: number
}

export interface AccountsTable {
  /** False when the name is taken. */
  create(account: Account): Promise<boolean>
  find(username: string): Promise<Account | undefined>
}

export function accountsTable(client: TableClient): AccountsTable {
  return {
    create: (account) =>
      winWrite(client, {
        table: 'accounts',
        key: keyOf(account.username),
        expect: 'absent',
        put: {
          account_id: account.accountId,
          username: account.username,
          password_hash: account.passwordHash,
          token_version: account.tokenVersion,
        },
      }),
    async find(username) {
      const row = await client.get('accounts', keyOf(username))
      if (!row) return undefined
      return {
        accountId: String(row.account_id),
        username: String(row.username),
        passwordHash: String(row.password_hash),
        tokenVersion: Number(row.token_version),
      }
    },
  }
}

/** Names that differ only in case or in Unicode composition are one name. */
function keyOf(username: string) {
  return [['username_key', username.normalize('NFC').toLowerCase()]] as const
}
