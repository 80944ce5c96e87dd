import 'media-chrome/dist/lang/zh-CN.js'
import 'media-chrome/dist/media-controller.js'
import 'media-chrome/dist/media-control-bar.js'
import 'media-chrome/dist/media-fullscreen-button.js'
import 'media-chrome/dist/media-loading-indicator.js'
import 'media-chrome/dist/media-mute-button.js'
import 'media-chrome/dist/media-pip-button.js'
import 'media-chrome/dist/media-play-button.js'
import 'media-chrome/dist/media-seek-backward-button.js'
import 'media-chrome/dist/media-seek-forward-button.js'
import 'media-chrome/dist/media-time-display.js'
import 'media-chrome/dist/media-time-range.js'
import 'media-chrome/dist/media-volume-range.js'
import 'media-chrome/dist/menu/media-playback-rate-menu.js'
import 'media-chrome/dist/menu/media-playback-rate-menu-button.js'
import 'media-chrome/dist/menu/media-rendition-menu.js'
import 'media-chrome/dist/menu/media-rendition-menu-button.js'
import { setLanguage } from 'media-chrome/dist/utils/i18n.js'
import type { Focus } from './keys.ts'

/** The language of controls that are made from now on. */
export function speak(languageTag: string): void {
  setLanguage(languageTag)
}

type Screen = 'fullscreen' | 'pip'

/** Enters full screen or picture in picture, or leaves it; the controls do what has to be done in each browser. */
export function switchScreen(controller: HTMLElement, screen: Screen): void {
  const isOn = controller.hasAttribute(`mediais${screen}`)
  const request = `media${isOn ? 'exit' : 'enter'}${screen}request`
  controller.dispatchEvent(new CustomEvent(request, { bubbles: true, composed: true }))
}

const MENUS = 'media-rendition-menu, media-playback-rate-menu'
const BUTTONS = 'button, a, summary, [role="button"]'
const TEXTS = 'input:not([type="range"]), textarea, select, [contenteditable="true"]'

/** What has the focus, also inside the controls. */
export function focusOf(event: Event): Focus {
  for (const target of event.composedPath()) {
    if (!(target instanceof HTMLElement)) continue
    if (target.matches(TEXTS) || target.matches(MENUS)) return 'text'
    if (target.matches('input[type="range"]')) return 'range'
    if (target.matches(BUTTONS)) return 'button'
  }
  return 'page'
}
