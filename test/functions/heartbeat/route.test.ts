import { describe, expect, test } from 'vitest'
import { newWorld, PLAY, START, VIEWER } from './world.ts'

const bearer = { headers: { authorization: 'Bearer session-of-ann' } }

describe('a position', () => {
  test('comes back as it was sent, from anywhere, with the time when it was so', async () => {
    const { beat, position, at } = await newWorld()
    at(5_000)
    expect(await beat({ positionMs: 4_321, ageMs: 2_000 })).toEqual({ status: 200, data: { nextBeatMs: 10_000 } })
    expect(await position()).toEqual({ positionMs: 4_321, updatedAt: new Date(START + 3_000).toISOString() })
  })

  test('of who never watched is 0 and of no time', async () => {
    expect(await (await newWorld()).position()).toEqual({ positionMs: 0, updatedAt: null })
  })

  test('of who is signed in belongs to the account, whatever viewer id is sent along', async () => {
    const { beat, position, ask, progress } = await newWorld()
    await beat({ positionMs: 7_000 }, bearer)
    await beat({ positionMs: 8_000, seq: 2, viewerId: 'short' }, bearer)
    expect(progress().map((row) => row.viewer_key)).toEqual(['u:ann'])
    expect((await ask(`/v1/progress?playbackId=${PLAY}`, bearer)).data.positionMs).toBe(8_000)
    expect((await position()).positionMs).toBe(0)
  })

  test('cannot be kept in an account’s place by a viewer id', async () => {
    const { beat, ask } = await newWorld()
    await beat({ positionMs: 7_000, viewerId: 'u:ann-aaaaaaaaaaaaaaaa' })
    const other = { headers: { authorization: 'Bearer session-of-ann-aaaaaaaaaaaaaaaa' } }
    expect((await ask(`/v1/progress?playbackId=${PLAY}`, other)).data.positionMs).toBe(0)
  })

  test('is taken from sendBeacon, which can say text/plain only', async () => {
    const { beat, position } = await newWorld()
    await beat({ positionMs: 9_000 }, { headers: { 'content-type': 'text/plain;charset=UTF-8' } })
    expect((await position()).positionMs).toBe(9_000)
  })

  test.each([
    ['while it plays', 'timeupdate', true, true],
    ['when play begins', 'play', true, true],
    ['while it plays and waits for bytes', 'waiting', true, true],
    ['when the viewer pauses', 'pause', false, true],
    ['when the viewer seeks while it is paused', 'seeked', false, true],
    ['when it was played to the end', 'ended', false, true],
    ['while it stands still', 'timeupdate', false, false],
    ['while it waits without playing', 'waiting', false, false],
    ['when play was wished for and nothing moves', 'play', false, false],
  ] as const)('%s', async (_when, event, playing, isKept) => {
    const { beat, position } = await newWorld()
    const { data } = await beat({ positionMs: 3_000, event, playing })
    expect(data.nextBeatMs).toBe(playing ? 10_000 : 60_000)
    expect((await position()).positionMs).toBe(isKept ? 3_000 : 0)
  })

  test('is forgotten with its video, everybody’s', async () => {
    const { beat, progress, removeAll } = await newWorld()
    for (const letter of 'abc') await beat({ viewerId: letter.repeat(16) })
    expect(progress()).toHaveLength(3)
    await removeAll()
    expect(progress()).toEqual([])
  })
})

describe('of two beats', () => {
  /** Each sent at a time, `ageMs` after it was so; the position names it. */
  const cases = [
    ['the one with the larger number counts', [beatAt(0, 'a', 1), beatAt(1, 'a', 2)], 2],
    ['the larger number counts when it comes first', [beatAt(0, 'a', 2), beatAt(1, 'a', 1)], 1],
    ['of the same number the first counts', [beatAt(0, 'a', 1), beatAt(1, 'a', 1)], 1],
    ['a session’s own numbers go before time', [beatAt(0, 'a', 1), beatAt(1, 'a', 2, 5_000)], 2],
    ['of two sessions the later one counts', [beatAt(0, 'a', 9), beatAt(1, 'b', 1)], 2],
    ['one out of a queue counts for when it was so', [beatAt(0, 'a', 9), beatAt(5, 'b', 1, 6_000)], 1],
    ['one out of a queue may still be the later', [beatAt(0, 'a', 9), beatAt(5, 'b', 1, 4_000)], 2],
    ['of two sessions at the same moment the first to arrive counts', [beatAt(1, 'a', 1), beatAt(2, 'b', 1, 1_000)], 1],
    ['one older than our time is still a beat', [beatAt(0, 'a', 1, Number.MAX_SAFE_INTEGER), beatAt(1, 'b', 1)], 2],
  ] as const

  test.each(cases)('%s', async (_name, beats, winner) => {
    for (const instances of [1, 2]) {
      const { beat, position, at } = await newWorld({ instances })
      for (const [index, { second, ...part }] of beats.entries()) {
        at(second * 1000)
        await beat({ ...part, positionMs: index + 1 }, {}, index % instances)
      }
      expect((await position()).positionMs).toBe(winner)
    }
  })

  function beatAt(second: number, sessionId: string, seq: number, ageMs = 0) {
    return { second, sessionId, seq, ageMs }
  }
})

test('of two sessions whose first beats meet, the later one counts', async () => {
  const { beat, position } = await newWorld({ instances: 2 })
  const older = beat({ sessionId: 'a', seq: 2, positionMs: 1, ageMs: 500 }, {}, 0)
  await Promise.all([older, beat({ sessionId: 'b', seq: 2, positionMs: 2 }, {}, 1)])
  expect((await position()).positionMs).toBe(2)
})

describe('a beat', () => {
  test('is one request once video, position and session are known', async () => {
    const { beat, newSession, requests, at } = await newWorld({ durationMs: 600_000 })
    const sessionId = newSession()
    await beat({ sessionId, event: 'play' })
    requests.length = 0
    for (let seq = 2; seq < 6; seq += 1) {
      at((seq - 1) * 2_000)
      await beat({ sessionId, seq, positionMs: seq * 2_000 })
    }
    expect(requests).toEqual(['writeBatch', 'writeBatch', 'writeBatch', 'writeBatch'])
  })

  test('is one request from the first on, for who is new, and one more for who comes back', async () => {
    const { beat, newSession, requests } = await newWorld()
    await beat({ viewerId: 'somebody-else-entirely' })
    requests.length = 0
    await beat({ sessionId: newSession() })
    expect(requests).toEqual(['writeBatch'])
    const elsewhere = await newWorld({ instances: 2 })
    await elsewhere.beat({ sessionId: elsewhere.newSession() })
    await elsewhere.beat({ viewerId: 'somebody-else-entirely' }, {}, 1)
    elsewhere.requests.length = 0
    elsewhere.at(10)
    await elsewhere.beat({ sessionId: elsewhere.newSession(), positionMs: 5 }, {}, 1)
    expect(elsewhere.requests).toEqual(['writeBatch', 'write'])
    expect((await elsewhere.position()).positionMs).toBe(5)
  })

  test('of a session that was not handed out is kept without a row for the session', async () => {
    const { beat, sessions, position, requests } = await newWorld()
    await beat({ sessionId: 'x'.repeat(256), positionMs: 6_000 })
    expect((await position()).positionMs).toBe(6_000)
    expect(sessions()).toEqual([])
    requests.length = 0
    await beat({ seq: 2, playing: false, event: 'waiting' })
    expect(requests).toEqual([])
  })

  test('keeps what the player says of quality, of the whole session', async () => {
    const { beat, newSession, sessions } = await newWorld()
    const sessionId = newSession()
    await beat({ sessionId, startupMs: 420, stalls: 1, bitsPerSecond: 3_000_000 })
    await beat({ sessionId, seq: 2, stalls: 2, stallMs: 900, droppedFrames: 3 })
    expect(sessions()).toMatchObject([
      { startup_ms: 420, stalls: 2, stall_ms: 900, dropped_frames: 3, bits_per_second: 3_000_000 },
    ])
  })

  test('may say more than is known here', async () => {
    const { ask } = await newWorld()
    const body = {
      playbackId: PLAY,
      sessionId: 's',
      viewerId: VIEWER,
      seq: 1,
      positionMs: 1,
      event: 'play',
      playing: true,
    }
    const init = { method: 'POST', body: JSON.stringify({ ...body, screen: 'wide' }) }
    expect((await ask('/v1/heartbeats', init)).status).toBe(200)
  })

  test.each([
    [{ playbackId: 5 }, 'playbackId'],
    [{ playbackId: '' }, 'playbackId'],
    [{ sessionId: '' }, 'sessionId'],
    [{ sessionId: 'x'.repeat(257) }, 'sessionId'],
    [{ sessionId: undefined }, 'sessionId is missing'],
    [{ viewerId: undefined }, 'viewerId is missing'],
    [{ viewerId: 'x'.repeat(15) }, 'viewerId'],
    [{ viewerId: 'x'.repeat(65) }, 'viewerId'],
    [{ viewerId: 'with a blank in it at all' }, 'viewerId'],
    [{ viewerId: 7 }, 'viewerId'],
    [{ seq: 0 }, 'seq'],
    [{ seq: 1.5 }, 'seq'],
    [{ seq: '1' }, 'seq'],
    [{ seq: 2 ** 53 }, 'seq'],
    [{ positionMs: -1 }, 'positionMs'],
    [{ positionMs: 0.5 }, 'positionMs'],
    [{ positionMs: undefined }, 'positionMs is missing'],
    [{ ageMs: -1 }, 'ageMs'],
    [{ event: 'stop' }, 'event'],
    [{ playing: 'yes' }, 'playing'],
    [{ stalls: -1 }, 'stalls'],
  ])('that says %j is refused', async (part, field) => {
    const { beat, progress } = await newWorld()
    await expect(beat(part as object)).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining(field),
    })
    expect(progress()).toEqual([])
  })

  test.each(['', 'not json', '[]', 'null'])('whose body is "%s" is refused', async (body) => {
    const { ask } = await newWorld()
    await expect(ask('/v1/heartbeats', { method: 'POST', body })).rejects.toMatchObject({
      code: expect.stringMatching(/^invalid_(json|request)$/),
    })
  })

  test('of an account whose session is over is refused, so that it is not kept for a stranger', async () => {
    const { beat, progress } = await newWorld()
    const init = { headers: { authorization: 'Bearer over' } }
    await expect(beat({}, init)).rejects.toMatchObject({ code: 'unauthenticated' })
    expect(progress()).toEqual([])
  })

  test('of a playback that does not exist, or not any more, is refused within 30 seconds', async () => {
    const { beat, ask, at, tables } = await newWorld()
    await expect(beat({ playbackId: 'nobody' })).rejects.toMatchObject({ code: 'playback_not_found' })
    await beat({})
    await tables.playbacks.revoke(PLAY)
    at(30_000)
    await expect(beat({ seq: 2 })).rejects.toMatchObject({ code: 'playback_not_found' })
    const query = `/v1/progress?playbackId=${PLAY}&viewerId=${VIEWER}`
    await expect(ask(query)).rejects.toMatchObject({ code: 'playback_not_found' })
  })
})

test.each(['', `playbackId=${PLAY}`, `playbackId=${PLAY}&viewerId=short`, `viewerId=${VIEWER}`])(
  'a question for progress by "%s" is refused',
  async (query) => {
    await expect((await newWorld()).ask(`/v1/progress?${query}`)).rejects.toMatchObject({ code: 'invalid_request' })
  },
)

test('answers its health check without a table, and says which methods there are', async () => {
  const { ask, requests } = await newWorld()
  expect((await ask('/healthz/heartbeat')).status).toBe(200)
  expect((await ask('/v1/heartbeats')).status).toBe(405)
  expect(requests).toEqual([])
})
