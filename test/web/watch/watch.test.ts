import { expect, onTestFinished, test } from 'vitest'
import { commandOf, rateAfter } from '../../../web/watch/keys.ts'
import { fetchPlayInfo } from '../../../web/watch/play-info.ts'
import { meterOf } from '../../../web/watch/quality.ts'
import { resumeAt } from '../../../web/watch/resume.ts'

const press = (key: string, more: object = {}) => ({ key, ctrlKey: false, metaKey: false, altKey: false, ...more })

test.each([
  [' ', 'page', { do: 'toggle' }],
  ['k', 'button', { do: 'toggle' }],
  ['K', 'page', { do: 'toggle' }],
  ['j', 'page', { do: 'seekBy', seconds: -10 }],
  ['l', 'page', { do: 'seekBy', seconds: 10 }],
  ['ArrowRight', 'button', { do: 'seekBy', seconds: 5 }],
  ['7', 'page', { do: 'seekTo', share: 0.7 }],
  ['<', 'page', { do: 'rateBy', steps: -1 }],
  ['p', 'page', { do: 'pictureInPicture' }],
] as const)('%j with the focus on a %s is a command', (key, focus, command) => {
  expect(commandOf(press(key), focus)).toEqual(command)
})

test.each([
  [' ', 'button'],
  ['ArrowLeft', 'range'],
  ['k', 'text'],
  ['5', 'text'],
  ['Tab', 'page'],
  ['Enter', 'page'],
  ['constructor', 'page'],
] as const)('%j with the focus on a %s is left alone', (key, focus) => {
  expect(commandOf(press(key), focus)).toBeUndefined()
})

test.each(['ctrlKey', 'metaKey', 'altKey'])('keys with %s belong to the browser', (modifier) => {
  expect(commandOf(press('f', { [modifier]: true }), 'page')).toBeUndefined()
})

test('speeds go up and down in steps, and the ends hold', () => {
  expect([rateAfter(1, 1), rateAfter(1, -1), rateAfter(2, 1), rateAfter(0.5, -1), rateAfter(1.1, 1)]).toEqual([
    1.25, 0.75, 2, 0.5, 1.25,
  ])
})

test.each([
  [0, 600_000, undefined],
  [4999, 600_000, undefined],
  [5000, 600_000, 5000],
  [595_000, 600_000, 595_000],
  [595_001, 600_000, undefined],
])('who left off at %d ms of %d is offered %s', (resumeMs, durationMs, offered) => {
  expect(resumeAt(resumeMs, durationMs)).toBe(offered)
})

test('the wait for the first picture is not a stall, and a stall that goes on counts already', () => {
  const clock = { now: 0 }
  const meter = meterOf(() => clock.now)
  meter.wanted()
  meter.starved()
  clock.now = 700
  meter.playing()
  clock.now = 5000
  meter.starved()
  meter.starved()
  clock.now = 5600
  expect(meter.read()).toEqual({ startupMs: 700, stalls: 1, stallMs: 600 })
  meter.playing()
  clock.now = 9000
  meter.starved()
  clock.now = 9100
  meter.rested()
  clock.now = 20_000
  expect(meter.read()).toEqual({ startupMs: 700, stalls: 2, stallMs: 700 })
})

const stranger = { authorization: undefined, viewerId: 'x'.repeat(32) }

test('what there is to play is taken out of the answer', async () => {
  const asked = answerWith(() => Response.json({ data: { title: 'A' }, requestId: '1' }))
  expect(await fetchPlayInfo('abc', stranger)).toEqual({ kind: 'info', info: { title: 'A' } })
  expect(asked).toEqual([`/play/abc?viewerId=${stranger.viewerId}`])
})

test('a session that is over is no reason not to watch', async () => {
  const asked = answerWith((path) =>
    path.includes('?') ? Response.json({ data: { title: 'A' } }) : new Response('', { status: 401 }),
  )
  const found = await fetchPlayInfo('abc', { ...stranger, authorization: 'Bearer old' })
  expect(found).toMatchObject({ kind: 'info' })
  expect(asked).toHaveLength(2)
})

test.each([
  [500, { kind: 'later', silent: false }],
  [429, { kind: 'later', silent: false }],
  [404, { kind: 'missing' }],
  [403, { kind: 'refused' }],
])('status %d is understood', async (status, found) => {
  answerWith(() => new Response('', { status }))
  expect(await fetchPlayInfo('abc', stranger)).toMatchObject(found)
})

test('no answer at all is told apart from a bad one', async () => {
  answerWith(() => {
    throw new TypeError('network')
  })
  expect(await fetchPlayInfo('abc', stranger)).toEqual({ kind: 'later', silent: true })
})

test('a refusal is explained by the sentence of the API', async () => {
  answerWith(() => Response.json({ code: 'forbidden', detail: 'Only on Sundays' }, { status: 403 }))
  expect(await fetchPlayInfo('abc', stranger)).toMatchObject({
    error: { code: 'forbidden', message: 'Only on Sundays' },
  })
})

function answerWith(answer: (path: string) => Response): string[] {
  const real = globalThis.fetch
  const asked: string[] = []
  globalThis.fetch = async (input) => {
    asked.push(String(input))
    return answer(String(input))
  }
  onTestFinished(() => {
    globalThis.fetch = real
  })
  return asked
}
