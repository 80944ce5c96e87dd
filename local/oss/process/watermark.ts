import { OssError } from '../errors.ts'
import { identifyImage, loadSharp } from './identify.ts'
import { type Action, ActionParameters } from './parse.ts'
import type { Picture, Step } from './steps.ts'

const GRAVITIES = ['nw', 'north', 'ne', 'west', 'center', 'east', 'sw', 'south', 'se'] as const

/** Reads the bytes of another image of the same bucket. */
export type ReadImage = (key: string) => Promise<Buffer>

/** A text or an image over the picture. https://help.aliyun.com/zh/oss/user-guide/add-watermarks */
export function readWatermark(action: Action, readImage: ReadImage): Step {
  const parameters = new ActionParameters(action)
  const [text, image] = [parameters.decoded('text'), parameters.decoded('image')]
  if (!text && !image) throw parameters.missing('text or image')
  const place = {
    gravity: parameters.choice('g', GRAVITIES) ?? 'se',
    x: parameters.integer('x', 0, 4096) ?? 10,
    y: parameters.integer('y', 0, 4096) ?? 10,
    offset: parameters.integer('voffset', -1000, 1000) ?? 0,
  }
  const opacity = (parameters.integer('t', 0, 100) ?? 100) / 100
  const angle = parameters.integer('rotate', 0, 360) ?? 0
  const style = { color: parameters.color('color') ?? '#000000', size: parameters.integer('size', 1, 1000) ?? 40 }
  const percent = parameters.integer('P', 1, 100)
  const draw = async () => {
    if (text) return Buffer.from(textSvg(text, style))
    const bytes = await readImage(image?.split('?')[0] ?? '')
    if (!(await identifyImage(bytes))) throw notAnImage()
    return bytes
  }
  return async (picture) => {
    const share = percent === undefined || text ? undefined : percent / 100
    const mark = await fitMark(await draw(), angle, picture, share)
    fade(mark.data, opacity)
    const work = picture.open().composite([{ input: mark.data, raw: mark, ...position(picture, mark, place) }])
    return { work: picture.hasAlpha ? work : work.removeAlpha() }
  }
}

/** Turns a mark and brings it to its share of the picture, or at least into it. */
async function fitMark(bytes: Buffer, angle: number, { width, height }: Size, share: number | undefined) {
  const sharp = await loadSharp()
  const side = (length: number) => Math.max(Math.round(length * (share ?? 1)), 1)
  const { data, info } = await sharp(bytes)
    .rotate(angle, { background: { r: 0, g: 0, b: 0, alpha: 0 } })
    .resize({ width: side(width), height: side(height), fit: 'inside', withoutEnlargement: share === undefined })
    .toColourspace('srgb')
    .ensureAlpha()
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
    .catch(() => {
      throw notAnImage()
    })
  return { data, width: info.width, height: info.height, channels: 4 as const }
}

function fade(pixels: Buffer, opacity: number): void {
  for (let at = 3; at < pixels.length; at += 4) pixels[at] = Math.round((pixels[at] ?? 0) * opacity)
}

function notAnImage(): OssError {
  return new OssError('BadRequest', {}, 'The watermark image is not an image.')
}

interface Place {
  readonly gravity: (typeof GRAVITIES)[number]
  readonly x: number
  readonly y: number
  /** Of what stands in the middle row. */
  readonly offset: number
}

type Size = Pick<Picture, 'width' | 'height'>

/** Distances are from the edge that the place is at; in the middle only `offset` counts. */
function position(picture: Size, mark: Size, { gravity, x, y, offset }: Place): { left: number; top: number } {
  const index = GRAVITIES.indexOf(gravity)
  const along = (space: number, third: number, distance: number, middle: number) => {
    const at = third === 0 ? distance : third === 1 ? Math.round(space / 2) + middle : space - distance
    return Math.min(Math.max(at, 0), Math.max(space, 0))
  }
  return {
    left: along(picture.width - mark.width, index % 3, x, 0),
    top: along(picture.height - mark.height, Math.floor(index / 3), y, offset),
  }
}

function textSvg(text: string, { color, size }: { readonly color: string; readonly size: number }): string {
  const escaped = text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
  // Wide characters are as wide as they are high; others about six tenths of that.
  const width = [...text].reduce(
    (sum, character) => sum + (character.charCodeAt(0) > 0x2e80 ? 1 : 0.6) * size,
    size / 2,
  )
  const font = 'font-family="Noto Sans CJK SC, WenQuanYi Zen Hei, DejaVu Sans, sans-serif"'
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${Math.ceil(width)}" height="${Math.ceil(size * 1.4)}">` +
    `<text x="${size / 4}" y="${size}" font-size="${size}" ${font} fill="${color}">${escaped}</text></svg>`
  )
}
