import { type TableClient, winWrite } from './client.ts'

export interface NoncesTable {
  /** True for the first caller with this value, false for a repeat within the row's life of two days. */
  spend(scope: string, keyId: string, value: string, at: number): Promise<boolean>
}

export function noncesTable(client: TableClient): NoncesTable {
  return {
    spend: (scope, keyId, value, at) =>
      winWrite(client, {
        table: 'nonces',
        key: [['key', `${scope}#${keyId}#${value}`]],
        expect: 'absent',
        put: { at },
      }),
  }
}
