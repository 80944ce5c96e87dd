import { expect, test } from 'vitest'
import type { UploadTarget } from '../../../shared/api.ts'
import { type Granted, grantedBy, rightsOf } from '../../../web/upload/rights.ts'

function target(name: string, expiration = '2026-01-01T01:00:00Z'): UploadTarget {
  const credentials = { accessKeyId: name, accessKeySecret: 's', securityToken: 't', expiration }
  return { bucket: 'b', region: 'r', endpoint: 'e', addressing: 'path', key: 'k', credentials }
}

function world() {
  const clock = { now: 0 }
  const renewals: ((granted: Granted | Error) => void)[] = []
  const renew = () =>
    new Promise<Granted>((resolve, reject) => {
      renewals.push((granted) => (granted instanceof Error ? reject(granted) : resolve(granted)))
    })
  const first = { target: target('first'), at: 0, lifeMs: 1000 }
  return { clock, renewals, rights: rightsOf(first, renew, () => clock.now) }
}

const name = ({ credentials }: UploadTarget) => credentials.accessKeyId

test('rights are used for four fifths of their life', async () => {
  const { clock, rights, renewals } = world()
  clock.now = 799
  expect(name(await rights.current())).toBe('first')
  expect(renewals).toHaveLength(0)
})

test('all who ask while new rights are on their way get the same new ones, by one request', async () => {
  const { clock, rights, renewals } = world()
  clock.now = 800
  const asked = [rights.current(), rights.current(), rights.current()]
  expect(renewals).toHaveLength(1)
  renewals[0]?.({ target: target('second'), at: 800, lifeMs: 1000 })
  expect((await Promise.all(asked)).map(name)).toEqual(['second', 'second', 'second'])
  clock.now = 1500
  expect(name(await rights.current())).toBe('second')
  expect(renewals).toHaveLength(1)
})

test('when no new rights can be had, the old ones serve to their end and no longer', async () => {
  const { clock, rights, renewals } = world()
  clock.now = 900
  const late = rights.current()
  renewals[0]?.(new Error('no connection'))
  expect(name(await late)).toBe('first')
  clock.now = 1000
  const over = rights.current()
  renewals[1]?.(new Error('no connection'))
  await expect(over).rejects.toThrow('no connection')
})

test('rights that OSS refused are not used again, but a late refusal of older ones changes nothing', async () => {
  const { rights, renewals } = world()
  const first = await rights.current()
  rights.refuse(first)
  const next = rights.current()
  renewals[0]?.({ target: target('second'), at: 0, lifeMs: 1000 })
  expect(name(await next)).toBe('second')
  rights.refuse(first)
  expect(name(await rights.current())).toBe('second')
  expect(renewals).toHaveLength(1)
})

test('the life is counted by the server’s clock, since that of the device may be years off', () => {
  const serverNow = Date.parse('2026-01-01T00:00:00Z')
  expect(grantedBy(target('a'), serverNow, 5).lifeMs).toBe(3_600_000)
})
