import type { Sharp } from 'sharp'
import { OssError } from '../errors.ts'
import { type Action, ActionParameters, onlyInteger } from './parse.ts'

/** An image on its way through the steps. */
export interface Picture {
  readonly width: number
  readonly height: number
  readonly hasAlpha: boolean
  /** How EXIF wants it turned, until a step has done so. */
  readonly orientation: number
  /** The pixels, each time anew. */
  open(): Sharp
}

/** What a step makes of a picture: more work on it, or nothing. */
export type Step = (picture: Picture) => Change | undefined | Promise<Change | undefined>

interface Change {
  readonly work: Sharp
  readonly orientation?: number
}

const MAX_SIDE = 16_384
const MAX_ROTATED_SIDE = 4096
const WHITE = '#ffffff'
const CLEAR = { r: 255, g: 255, b: 255, alpha: 0 }
const MODES = ['lfit', 'mfit', 'fill', 'pad', 'fixed'] as const
const GRAVITIES = ['nw', 'north', 'ne', 'west', 'center', 'east', 'sw', 'south', 'se'] as const

/** How a picture is to be resized, once its size is known; `undefined` to leave it as it is. */
export interface Resizing {
  readonly width: number
  readonly height: number
  readonly fit: 'fill' | 'cover' | 'contain'
  readonly background: string
}

type Size = Pick<Picture, 'width' | 'height'>

/** https://help.aliyun.com/zh/oss/user-guide/resize-images-4 */
export function readResize(action: Action): (size: Size) => Resizing | undefined {
  const parameters = new ActionParameters(action)
  const side = (name: string) => parameters.integer(name, 1, MAX_SIDE)
  const mode = parameters.choice('m', MODES) ?? 'lfit'
  const percent = parameters.integer('p', 1, 1000)
  const asked = { w: side('w'), h: side('h'), l: side('l'), s: side('s') }
  const mayGrow = parameters.choice('limit', ['0', '1'] as const) === '0'
  const background = parameters.color('color') ?? WHITE
  if (percent === undefined && Object.values(asked).every((value) => value === undefined)) {
    throw parameters.missing('w, h, l, s or p')
  }
  return (size) => {
    if (percent !== undefined) return { ...refuseHuge(scaled(size, percent / 100)), fit: 'fill', background }
    const wide = size.width >= size.height
    const width = asked.w ?? (wide ? asked.l : asked.s)
    const height = asked.h ?? (wide ? asked.s : asked.l)
    const target = targetOf(mode, size, width, height)
    const grows = target.width > size.width || target.height > size.height
    return grows && !mayGrow ? undefined : { ...refuseHuge(target), background }
  }
}

const MAX_RESIZED_PIXELS = 16_777_216

/** https://help.aliyun.com/en/oss/user-guide/0040-00000007 */
function refuseHuge<Target extends Size>(target: Target): Target {
  if (target.width * target.height <= MAX_RESIZED_PIXELS) return target
  throw new OssError('ImageTooLarge', { EC: '0040-00000007' })
}

function targetOf(mode: (typeof MODES)[number], size: Size, width: number | undefined, height: number | undefined) {
  const [x, y] = [(width ?? 0) / size.width, (height ?? 0) / size.height]
  const [fit] = [{ fixed: 'fill', fill: 'cover', pad: 'contain', lfit: 'fill', mfit: 'fill' } as const].map(
    (f) => f[mode],
  )
  const both = width !== undefined && height !== undefined
  if (both && mode !== 'lfit' && mode !== 'mfit') return { width, height, fit: fit ?? 'fill' }
  const factor = both && mode === 'lfit' ? Math.min(x, y) : Math.max(x, y)
  return { ...scaled(size, factor), fit: 'fill' as const }
}

function scaled(size: Size, factor: number): Size {
  const side = (length: number) => Math.min(Math.max(Math.round(length * factor), 1), MAX_SIDE)
  return { width: side(size.width), height: side(size.height) }
}

function resize(action: Action): Step {
  const plan = readResize(action)
  return (picture) => {
    const wanted = plan(picture)
    return wanted && { work: picture.open().resize(wanted) }
  }
}

/** https://help.aliyun.com/zh/oss/user-guide/custom-crop */
function crop(action: Action): Step {
  const parameters = new ActionParameters(action)
  const side = (name: string) => parameters.integer(name, 0, 999_999)
  const asked = { w: side('w'), h: side('h'), x: side('x') ?? 0, y: side('y') ?? 0 }
  const gravity = parameters.choice('g', GRAVITIES) ?? 'nw'
  return (picture) => {
    const [w, h] = [asked.w || picture.width, asked.h || picture.height]
    const index = GRAVITIES.indexOf(gravity)
    const left = Math.max(Math.round(((picture.width - w) * (index % 3)) / 2), 0) + asked.x
    const top = Math.max(Math.round(((picture.height - h) * Math.floor(index / 3)) / 2), 0) + asked.y
    return cut(picture, { left, top, width: w, height: h })
  }
}

interface Area extends Size {
  readonly left: number
  readonly top: number
}

function cut(picture: Picture, { left, top, width, height }: Area): Change {
  if (left >= picture.width || top >= picture.height) {
    throw new OssError('BadRequest', {}, "Advance cut's position is out of image.")
  }
  const area = {
    left,
    top,
    width: Math.min(width, picture.width - left),
    height: Math.min(height, picture.height - top),
  }
  return { work: picture.open().extract(area) }
}

/** https://help.aliyun.com/zh/oss/user-guide/indexed-cropping */
function indexCrop(action: Action): Step {
  const parameters = new ActionParameters(action)
  const [x, y] = [parameters.integer('x', 1, MAX_SIDE), parameters.integer('y', 1, MAX_SIDE)]
  const index = parameters.integer('i', 0, 999_999) ?? 0
  if (x === undefined && y === undefined) throw parameters.missing('x or y')
  return (picture) => {
    const [left, top] = [(x ?? 0) * index, (y ?? 0) * index]
    // A piece that does not exist is the whole image.
    if (left >= picture.width || top >= picture.height) return undefined
    return cut(picture, { left, top, width: x ?? picture.width, height: y ?? picture.height })
  }
}

function rotate(action: Action): Step {
  const angle = onlyInteger(action, 0, 360)
  return (picture) => {
    if (Math.max(picture.width, picture.height) > MAX_ROTATED_SIDE) {
      throw new OssError('BadRequest', {}, 'Picture exceed the maximum allowable rotation range.')
    }
    if (angle % 360 === 0) return undefined
    const work = angle % 90 === 0 ? picture.open() : picture.open().ensureAlpha()
    return { work: work.rotate(angle, { background: CLEAR }) }
  }
}

function autoOrient(action: Action): Step {
  const wanted = onlyInteger(action, 0, 1) === 1
  return (picture) => {
    if (!wanted || picture.orientation === 1) return undefined
    const [flop, angle] = TURNS[picture.orientation] ?? [false, 0]
    const work = flop ? picture.open().flop() : picture.open()
    return { work: angle === 0 ? work : work.rotate(angle), orientation: 1 }
  }
}

/** Mirrored or not, and turned clockwise by so much: what undoes each orientation. */
const TURNS: Readonly<Record<number, readonly [flop: boolean, angle: 0 | 90 | 180 | 270]>> = {
  2: [true, 0],
  3: [false, 180],
  4: [true, 180],
  5: [true, 90],
  6: [false, 90],
  7: [true, 270],
  8: [false, 270],
}

function circle(action: Action): Step {
  const radius = new ActionParameters(action).integer('r', 1, 4096)
  if (radius === undefined) throw new ActionParameters(action).missing('r')
  return (picture) => {
    const side = Math.min(radius * 2, picture.width, picture.height)
    const left = Math.floor((picture.width - side) / 2)
    const top = Math.floor((picture.height - side) / 2)
    const mask = `<svg width="${side}" height="${side}"><circle cx="50%" cy="50%" r="50%"/></svg>`
    return { work: masked(picture.open().extract({ left, top, width: side, height: side }), mask) }
  }
}

function roundedCorners(action: Action): Step {
  const radius = new ActionParameters(action).integer('r', 1, 4096)
  if (radius === undefined) throw new ActionParameters(action).missing('r')
  return ({ width, height, open }) => {
    const r = Math.min(radius, width / 2, height / 2)
    return {
      work: masked(
        open(),
        `<svg width="${width}" height="${height}"><rect width="100%" height="100%" rx="${r}"/></svg>`,
      ),
    }
  }
}

function masked(work: Sharp, svg: string): Sharp {
  return work.ensureAlpha().composite([{ input: Buffer.from(svg), blend: 'dest-in' }])
}

function blur(action: Action): Step {
  const parameters = new ActionParameters(action)
  const [radius, sigma] = [parameters.integer('r', 1, 50), parameters.integer('s', 1, 50)]
  if (radius === undefined || sigma === undefined) throw parameters.missing('r and s')
  return ({ open }) => ({ work: open().blur(sigma) })
}

function bright(action: Action): Step {
  const by = onlyInteger(action, -100, 100)
  return ({ open }) => ({ work: open().linear(1, by * 1.28) })
}

function contrast(action: Action): Step {
  const factor = 1 + onlyInteger(action, -100, 100) / 100
  return ({ open }) => ({ work: open().linear(factor, 128 * (1 - factor)) })
}

function sharpen(action: Action): Step {
  const strength = onlyInteger(action, 50, 399)
  return ({ open }) => ({ work: open().sharpen({ sigma: strength / 100 }) })
}

const STEPS: Readonly<Record<string, (action: Action) => Step>> = {
  resize,
  crop,
  indexcrop: indexCrop,
  rotate,
  'auto-orient': autoOrient,
  circle,
  'rounded-corners': roundedCorners,
  blur,
  bright,
  contrast,
  sharpen,
}

/** The step of an action; `undefined` for one that changes no pixels, or is unknown. */
export function readStep(action: Action): Step | undefined {
  return Object.hasOwn(STEPS, action.name) ? STEPS[action.name]?.(action) : undefined
}
