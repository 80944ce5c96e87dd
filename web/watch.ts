import 'media-chrome'
import 'media-chrome/menu'
import Hls from 'hls.js'
import type { PlayInfo } from '../shared/api.ts'
import { clockText, fetchPlayInfo, PlayInfoError, playbackIdOf } from './play-info.ts'
import { RenditionList } from './renditions.ts'

const pollMs = 2000

watch().catch((error) => fail(error instanceof PlayInfoError ? error.message : 'The player could not start.'))

/** Follows a video until there is nothing left to wait for: it is final, or it has failed. */
async function watch(): Promise<void> {
  const playbackId = playbackIdOf(location.pathname)
  if (playbackId === undefined) throw new PlayInfoError('This address names no video: expected /watch/ and an id.')
  let isAttached = false
  for (;;) {
    const info = await fetchPlayInfo(playbackId)
    if (info) show(info)
    if (info?.playable && !isAttached) {
      isAttached = true
      play(info)
    }
    if (info?.status === 'ready' || info?.status === 'errored') return
    await new Promise((resolve) => setTimeout(resolve, pollMs))
  }
}

function show({ title, durationMs, status, playable }: PlayInfo): void {
  document.title = title
  element('title').textContent = title
  const state = { processing: 'still being prepared', ready: '', errored: 'could not be prepared to its end' }[status]
  const length = durationMs > 0 ? clockText(durationMs) : ''
  element('facts').textContent = [length, playable ? state : ''].filter((fact) => fact !== '').join(' · ')
  if (playable) return
  element('notice-text').textContent = 'The video is being prepared. It starts here as soon as its first part is ready.'
  if (status === 'errored') fail('This video could not be prepared. Its owner can see the reason.')
}

function play({ hlsUrl }: PlayInfo): void {
  const video = document.createElement('video')
  video.slot = 'media'
  video.playsInline = true
  video.preload = 'auto'
  const isNative = isApple() && video.canPlayType('application/vnd.apple.mpegurl') !== ''
  if (!isNative && !Hls.isSupported()) throw new PlayInfoError('This browser cannot play HLS video.')
  if (isNative) playNatively(video, hlsUrl)
  else playByScript(video, hlsUrl)
  const player = element('player')
  player.append(video)
  player.hidden = false
  element('notice').hidden = true
  player.focus({ preventScroll: true })
}

/** Safari plays HLS better than any script can; other engines that claim to are left to hls.js. */
function isApple(): boolean {
  return navigator.vendor.startsWith('Apple')
}

function playNatively(video: HTMLVideoElement, hlsUrl: string): void {
  video.addEventListener('error', () => fail('Playback stopped: the video could not be loaded.'), { once: true })
  video.src = hlsUrl
}

function playByScript(video: HTMLVideoElement, hlsUrl: string): void {
  // While a playlist grows it looks like a live stream: start at its beginning all the same.
  const hls = new Hls({ startPosition: 0, capLevelToPlayerSize: true })
  const renditions = new RenditionList(hls)
  Object.assign(video, { videoRenditions: renditions })
  hls.on(Hls.Events.MANIFEST_PARSED, () => renditions.fill())
  let recoveries = 0
  hls.on(Hls.Events.ERROR, (_event, { fatal, type }) => {
    if (!fatal) return
    recoveries += 1
    if (type === Hls.ErrorTypes.MEDIA_ERROR && recoveries <= 2) {
      hls.recoverMediaError()
      return
    }
    hls.destroy()
    fail(
      type === Hls.ErrorTypes.NETWORK_ERROR
        ? 'Playback stopped: the video could not be loaded. Check the connection and reload the page.'
        : 'Playback stopped: this browser cannot decode the video.',
    )
  })
  hls.loadSource(hlsUrl)
  hls.attachMedia(video)
}

function fail(reason: string): void {
  element('player').hidden = true
  const notice = element('notice')
  notice.hidden = false
  notice.classList.add('failed')
  notice.setAttribute('role', 'alert')
  element('notice-text').textContent = reason
}

function element(id: string): HTMLElement {
  const found = document.getElementById(id)
  if (!found) throw new Error(`watch.html has no #${id}`)
  return found
}
