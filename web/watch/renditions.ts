import type Hls from 'hls.js'

/** One entry of the quality menu, as media-chrome reads it. */
interface Rendition {
  readonly id: string
  readonly width: number
  readonly height: number
  readonly bitrate: number
}

/**
 * What media-chrome's quality menu expects of a media element (`videoRenditions`: a list of renditions that tells when it
 * changes), over the levels of hls.js. A plain video element has no such list.
 */
export class RenditionList extends EventTarget {
  readonly #hls: Hls
  #selected = -1
  #renditions: readonly Rendition[] = [];
  [index: number]: Rendition

  constructor(hls: Hls) {
    super()
    this.#hls = hls
  }

  get length(): number {
    return this.#renditions.length
  }

  [Symbol.iterator](): Iterator<Rendition> {
    return this.#renditions[Symbol.iterator]()
  }

  /** The level that was chosen by hand; -1 while hls.js chooses. */
  get selectedIndex(): number {
    return this.#selected
  }

  set selectedIndex(index: number) {
    this.#selected = index
    this.#hls.nextLevel = index
    this.dispatchEvent(new Event('change'))
  }

  /** Takes over the levels of the master playlist. */
  fill(): void {
    this.#renditions = this.#hls.levels.map(({ width, height, bitrate }, index) => ({
      id: `level-${index}`,
      width,
      height,
      bitrate,
    }))
    this.#renditions.forEach((rendition, index) => {
      this[index] = rendition
    })
    this.dispatchEvent(new Event('addrendition'))
  }
}
