import { mkdir } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CLIP_DIR, clipNamed } from '../media/clips.ts'
import { serveFile, tools } from '../media/support.ts'
import { type Film, newCloud } from './cloud.ts'
import { type Fault, HANDLERS } from './faulty.ts'
import { ETAG, ROWS, type Row } from './rows.ts'
import { recordedTools } from './tools.ts'

let film: Film
let close: () => Promise<void>

beforeAll(async () => {
  await mkdir(CLIP_DIR, { recursive: true })
  const served = await serveFile(await clipNamed('long-gop').make(CLIP_DIR))
  film = { url: served.url, etag: ETAG, tools: recordedTools(tools) }
  close = served.close
})
afterAll(() => close())

/** One case from its beginning to its end, in which one thing may go wrong. */
async function run(row: Row, fault?: Fault) {
  const cloud = newCloud(film, row.handler, fault)
  await cloud.deliveries.unharmed(async () => row.prepare(cloud))
  const answer = await row.happen(cloud)
  if (row.until !== undefined) await cloud.rest(row.until)
  const { calls, seen, hasStruck } = cloud.deliveries
  return { end: cloud.end(answer), calls, seen, hasStruck: hasStruck() }
}

const cleanRuns = new Map<Row, ReturnType<typeof run>>()
function clean(row: Row) {
  const found = cleanRuns.get(row) ?? run(row)
  cleanRuns.set(row, found)
  return found
}

test('every function has its rows', () => {
  expect(new Set(ROWS.map(({ handler }) => handler))).toEqual(new Set(HANDLERS))
})

describe.each(ROWS)('$handler, given $given: $event', { timeout: 300_000 }, (row) => {
  test('ends as it should', async () => {
    const { end, calls, seen } = await clean(row)
    expect(end).toMatchObject(row.end)
    expect([calls.length > 0, seen.length > 0]).toEqual([true, true])
  })

  test.each(['fails', 'dies'] as const)(
    'ends the same when it %s before or after the effect of any call',
    async (outcome) => {
      const { end, calls } = await clean(row)
      for (const [nth, { name, changes }] of calls.entries()) {
        for (const when of changes ? (['before', 'after'] as const) : (['before'] as const)) {
          const what = `${outcome} ${when} call ${nth} (${name})`
          const found = await run(row, { of: 'call', nth, when, outcome })
          expect(found.hasStruck, what).toBe(true)
          expect(found.end, what).toEqual(end)
        }
      }
    },
  )

  test.each(['twice', 'twice at once', 'lost'] as const)('ends the same when anything arrives %s', async (outcome) => {
    const { end, seen } = await clean(row)
    for (const [nth, what] of seen.entries()) {
      const found = await run(row, { of: 'delivery', nth, outcome })
      expect(found.hasStruck, `${what} ${nth}`).toBe(true)
      const expected = outcome === 'lost' && found.end.answer === undefined ? { ...end, answer: undefined } : end
      expect(found.end, `${what} ${nth} ${outcome}`).toEqual(expected)
    }
  })
})
