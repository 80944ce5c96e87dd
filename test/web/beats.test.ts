import { expect, test } from 'vitest'
import type { Beat } from '../../shared/api.ts'
import { beatsOf, type Reply } from '../../web/beats.ts'

/** A page with a clock that is moved, timers that are rung, and a server that answers as it is told. */
function world() {
  const clock = { now: 1000 }
  const replies: Reply[] = []
  const sent: Beat[] = []
  const left: Beat[] = []
  const timers: (() => void)[] = []
  const beats = beatsOf({
    viewing: { playbackId: 'p', sessionId: 's', viewerId: 'v' },
    quality: () => ({ stalls: 0 }),
    now: () => clock.now,
    async send(beat) {
      sent.push(beat)
      return replies.shift() ?? { nextBeatMs: 10_000 }
    },
    leave: (beat) => left.push(beat),
    later(action) {
      timers.push(action)
      return () => timers.splice(timers.indexOf(action), 1)
    },
  })
  const settle = async () => {
    for (let turn = 0; turn < 50; turn += 1) await Promise.resolve()
  }
  return { beats, clock, replies, sent, left, timers, settle }
}

const playing = (positionMs: number) => ({ positionMs, playing: true })

test('while it plays there is a beat as often as the server wishes, and none in between', async () => {
  const { beats, clock, sent, replies, settle } = world()
  replies.push(...Array.from({ length: 3 }, () => ({ nextBeatMs: 4000 })))
  beats.note('play', playing(0))
  await settle()
  for (let ms = 250; ms <= 9000; ms += 250) {
    clock.now = 1000 + ms
    beats.note('timeupdate', playing(ms))
    await settle()
  }
  expect(sent.map(({ positionMs }) => positionMs)).toEqual([0, 4000, 8000])
  expect(sent.map(({ seq }) => seq)).toEqual([1, 2, 3])
})

test('what happens is told at once, and time that passes while it stands still is not', async () => {
  const { beats, clock, sent, settle } = world()
  beats.note('play', playing(0))
  beats.note('seeked', playing(60_000.4))
  beats.note('pause', { positionMs: 61_000, playing: false })
  clock.now += 60_000
  beats.note('timeupdate', { positionMs: 61_000, playing: false })
  await settle()
  expect(sent.map(({ event, positionMs }) => [event, positionMs])).toEqual([
    ['play', 0],
    ['seeked', 60_000],
    ['pause', 61_000],
  ])
})

test('without a connection beats wait, and go out in their order with their age and their number', async () => {
  const { beats, clock, replies, sent, timers, settle } = world()
  replies.push('again')
  beats.note('play', playing(0))
  await settle()
  clock.now += 3000
  replies.push('again')
  beats.note('pause', { positionMs: 3000, playing: false })
  await settle()
  clock.now += 7000
  sent.length = 0
  timers.at(-1)?.()
  await settle()
  expect(sent.map(({ seq, ageMs, positionMs }) => [seq, ageMs, positionMs])).toEqual([
    [1, 10_000, 0],
    [2, 7000, 3000],
  ])
})

test('a connection that is back is used at once', async () => {
  const { beats, replies, sent, settle } = world()
  replies.push('again')
  beats.note('play', playing(0))
  await settle()
  beats.flush()
  await settle()
  expect(sent.map(({ seq }) => seq)).toEqual([1, 1])
})

test('who leaves while it plays is noted where they are, with all that could not be sent', async () => {
  const { beats, clock, replies, left, settle } = world()
  replies.push('again')
  beats.note('play', playing(0))
  await settle()
  clock.now += 2000
  beats.leave(playing(2000))
  expect(left.map(({ seq, positionMs, ageMs }) => [seq, positionMs, ageMs])).toEqual([
    [1, 0, 2000],
    [2, 2000, 0],
  ])
  beats.leave({ positionMs: 2000, playing: false })
  expect(left).toHaveLength(2)
})

test('who only looked at the page leaves no trace', () => {
  const { beats, left } = world()
  beats.leave(playing(0))
  expect(left).toEqual([])
})

test('when the viewing is not known any more, nothing is sent again', async () => {
  const { beats, replies, sent, settle } = world()
  replies.push('over')
  beats.note('play', playing(0))
  beats.note('pause', playing(1))
  await settle()
  beats.note('play', playing(2))
  await settle()
  expect(sent).toHaveLength(1)
})
