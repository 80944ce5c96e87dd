import type { Beat, BeatAnswer, BeatEvent } from '../../shared/api.ts'
import { type Beats, beatsOf, type Reply } from '../beats.ts'
import { ApiError, ask } from '../http.ts'
import type { Viewer } from './play-info.ts'
import type { Playback } from './playback.ts'
import { meterOf } from './quality.ts'

const PATH = '/v1/heartbeats'

export interface ViewingWish {
  readonly playbackId: string
  readonly sessionId: string
  readonly viewer: Viewer
  playback(): Playback | undefined
}

/** Reports what happens in a player, from its first play on; answers a function that ends it. */
export function reportViewing(video: HTMLVideoElement, wish: ViewingWish): () => void {
  const meter = meterOf(() => performance.now())
  const beats = beatsOf({
    viewing: viewingOf(wish),
    now: () => performance.now(),
    quality: () => ({ ...meter.read(), ...pictureQuality(video, wish.playback()) }),
    send: (beat) => send(beat, wish.viewer),
    leave: (beat) => leave(beat, wish.viewer),
    later(action, ms) {
      const timer = setTimeout(action, ms)
      return () => clearTimeout(timer)
    },
  })
  const ends = new AbortController()
  const on = (target: EventTarget, type: string, listener: () => void) =>
    target.addEventListener(type, listener, { signal: ends.signal })
  const moment = () => ({ positionMs: video.currentTime * 1000, playing: !video.paused && !video.ended })
  listen(video, beats, meter, on)
  const say = () => beats.leave(moment())
  on(window, 'pagehide', say)
  on(document, 'visibilitychange', () => document.hidden && say())
  on(window, 'online', () => beats.flush())
  return () => {
    say()
    ends.abort()
    beats.stop()
  }
}

function listen(
  video: HTMLVideoElement,
  beats: Beats,
  meter: ReturnType<typeof meterOf>,
  on: (target: EventTarget, type: string, listener: () => void) => void,
): void {
  const note = (event: BeatEvent) =>
    beats.note(event, { positionMs: video.currentTime * 1000, playing: !video.paused && !video.ended })
  // Before anybody has pressed play, a jump is the player's own and must not overwrite where somebody left off.
  const isWatched = () => video.played.length > 0
  on(video, 'play', () => {
    meter.wanted()
    note('play')
  })
  on(video, 'playing', () => meter.playing())
  on(video, 'waiting', () => {
    if (video.seeking) return
    meter.starved()
    note('waiting')
  })
  on(video, 'pause', () => {
    meter.rested()
    if (!video.ended) note('pause')
  })
  on(video, 'seeked', () => isWatched() && note('seeked'))
  on(video, 'timeupdate', () => note('timeupdate'))
  on(video, 'ended', () => note('ended'))
}

/** Only one of the two says who it is: the account, or the browser. */
function viewingOf({
  playbackId,
  sessionId,
  viewer,
}: ViewingWish): Pick<Beat, 'playbackId' | 'sessionId' | 'viewerId'> {
  return { playbackId, sessionId, ...(viewer.authorization === undefined ? { viewerId: viewer.viewerId } : {}) }
}

function pictureQuality(video: HTMLVideoElement, playback: Playback | undefined) {
  const { droppedVideoFrames: droppedFrames } = video.getVideoPlaybackQuality()
  const bitsPerSecond = playback?.bitsPerSecond()
  return { droppedFrames, ...(bitsPerSecond === undefined ? {} : { bitsPerSecond: Math.round(bitsPerSecond) }) }
}

async function send(beat: Beat, { authorization }: Viewer): Promise<Reply> {
  try {
    const { data } = await ask<BeatAnswer>('POST', PATH, {
      body: beat,
      ...(authorization === undefined ? {} : { authorization }),
    })
    return data
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    if (error.status === 0 || error.status >= 500 || error.status === 429) return 'again'
    // One beat that is not liked is no reason to stop; a playback that is gone is.
    return error.status === 400 ? { nextBeatMs: undefined } : 'over'
  }
}

/** `sendBeacon` cannot say who is signed in, so then it is a request that outlives its page. */
function leave(beat: Beat, { authorization }: Viewer): void {
  const body = JSON.stringify(beat)
  if (authorization === undefined) {
    navigator.sendBeacon(PATH, new Blob([body], { type: 'text/plain' }))
    return
  }
  const headers = { authorization, 'content-type': 'application/json' }
  fetch(PATH, { method: 'POST', headers, body, keepalive: true, credentials: 'omit' }).catch(() => {})
}
