import Hls, { type ErrorData, type HlsConfig } from 'hls.js'
import { RenditionList } from './renditions.ts'

/** Why playing stopped. */
export type Breakage = 'network' | 'decode' | 'unsupported'

export interface Wish {
  readonly hlsUrl: string
  readonly startMs: number
  /** Of a video that is still being made: how long it will be; its playlists only know how long it is by now. */
  readonly finalDurationMs: number | undefined
  /** Bits a second, as last measured. */
  readonly bandwidth: number | undefined
}

/** A media element that plays. */
export interface Playback {
  bandwidth(): number | undefined
  /** Of the rendition that is shown. */
  bitsPerSecond(): number | undefined
  /** Goes on after `network`. */
  retry(): void
  stop(): void
}

/** Whether this browser can play at all. */
export function canPlay(): boolean {
  return Hls.isSupported() || playsNatively(document.createElement('video'))
}

/** Begins to load; Safari does it better itself, other engines that claim to are left to the script. */
export function play(video: HTMLVideoElement, wish: Wish, onBroken: (breakage: Breakage) => void): Playback {
  return playsNatively(video) ? native(video, wish, onBroken) : scripted(video, wish, onBroken)
}

function playsNatively(video: HTMLVideoElement): boolean {
  return navigator.vendor.startsWith('Apple') && video.canPlayType('application/vnd.apple.mpegurl') !== ''
}

function native(video: HTMLVideoElement, { hlsUrl, startMs }: Wish, onBroken: (breakage: Breakage) => void): Playback {
  const broken = () => onBroken(video.error?.code === MediaError.MEDIA_ERR_DECODE ? 'decode' : 'network')
  function load(fromMs: number): void {
    video.src = hlsUrl
    // While a playlist grows it looks like a live stream: start at its beginning all the same.
    video.addEventListener(
      'loadedmetadata',
      () => {
        video.currentTime = fromMs / 1000
      },
      { once: true },
    )
  }
  video.addEventListener('error', broken)
  load(startMs)
  return {
    bandwidth: () => undefined,
    bitsPerSecond: () => undefined,
    retry: () => load(video.currentTime * 1000),
    stop() {
      video.removeEventListener('error', broken)
      video.removeAttribute('src')
      video.load()
    },
  }
}

const MOST_RECOVERIES = 2

function scripted(video: HTMLVideoElement, wish: Wish, onBroken: (breakage: Breakage) => void): Playback {
  const hls = new Hls(configOf(wish))
  const renditions = new RenditionList(hls)
  let recoveries = 0
  Object.assign(video, { videoRenditions: renditions })
  hls.on(Hls.Events.MANIFEST_PARSED, () => renditions.fill())
  hls.on(Hls.Events.ERROR, (_event, { fatal, type }: ErrorData) => {
    if (!fatal) return
    if (type === Hls.ErrorTypes.NETWORK_ERROR) return onBroken('network')
    recoveries += 1
    if (type === Hls.ErrorTypes.MEDIA_ERROR && recoveries <= MOST_RECOVERIES) return hls.recoverMediaError()
    hls.destroy()
    onBroken('decode')
  })
  hls.loadSource(wish.hlsUrl)
  const seconds = (wish.finalDurationMs ?? 0) / 1000
  hls.attachMedia(seconds > 0 ? { media: video, overrides: { duration: seconds } } : video)
  return {
    bandwidth: () => (hls.bandwidthEstimate > 0 ? hls.bandwidthEstimate : undefined),
    bitsPerSecond: () => hls.levels[hls.currentLevel]?.bitrate,
    retry: () => (hls.levels.length > 0 ? hls.startLoad(video.currentTime) : hls.loadSource(wish.hlsUrl)),
    stop: () => hls.destroy(),
  }
}

function configOf({ startMs, bandwidth }: Wish): Partial<HlsConfig> {
  return {
    // While a playlist grows it looks like a live stream: start at its beginning all the same.
    startPosition: startMs / 1000,
    capLevelToPlayerSize: true,
    ...(bandwidth === undefined ? {} : { abrEwmaDefaultEstimate: bandwidth, testBandwidth: false }),
  }
}
