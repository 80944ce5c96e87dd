import type { Sharp } from 'sharp'
import { OssError } from '../errors.ts'
import { decodeBmp, encodeBmp } from './bmp.ts'
import { type ImageFacts, type ImageFormat, identifyImage, loadSharp, MAX_PIXELS } from './identify.ts'
import { averageHue, imageInfo, withoutDensity } from './info.ts'
import { type Action, ActionParameters, invalidValue, onlyInteger } from './parse.ts'
import { type Picture, readResize, readStep, type Step } from './steps.ts'
import { type ReadImage, readWatermark } from './watermark.ts'

/** The result of a processing. */
export interface Processed {
  readonly contentType: string
  readonly bytes: Buffer
}

const MAX_BYTES = 20 * 1024 * 1024
const MAX_SIDE = 30_000

/** Refuses what is too large to be worked on, before it is read. https://help.aliyun.com/zh/oss/user-guide/overview-17 */
export function checkImageBytes(bytes: number): void {
  if (bytes > MAX_BYTES) throw new OssError('ImageTooLarge', { MaxSizeAllowed: MAX_BYTES })
}

/** Does the actions of an `image/` processing one after the other; begins no further one once the signal is aborted. */
export async function processImage(
  bytes: Buffer,
  actions: readonly Action[],
  readImage: ReadImage,
  signal: AbortSignal,
): Promise<Processed> {
  const [first] = actions
  if (first === undefined) throw new OssError('InvalidArgument', {}, 'The processing names no operation.')
  if (first.name === 'info') return json(await imageInfo(bytes))
  if (first.name === 'average-hue') return json(await averageHue(bytes))
  const plan = readPlan(actions, readImage)
  const facts = await identifyImage(bytes)
  if (facts === undefined) throw new OssError('BadRequest')
  const pixels = facts.width * facts.height * facts.frames
  if (Math.max(facts.width, facts.height) > MAX_SIDE || pixels > MAX_PIXELS) throw new OssError('ImageTooLarge')
  const format = plan.format ?? facts.format
  const animated = facts.frames > 1 && plan.resizings !== undefined && (format === 'gif' || format === 'webp')
  return animated
    ? await processFrames(bytes, facts, plan.resizings ?? [], format, plan)
    : await processStill(bytes, facts, plan.steps, format, plan, signal)
}

function json(text: string): Processed {
  return { contentType: 'application/json', bytes: Buffer.from(text) }
}

interface Encoding {
  readonly format: ImageFormat | undefined
  /** Of 100. */
  readonly quality: number | undefined
  /** Of the quality that the source has, in percent. */
  readonly relative: number | undefined
  readonly interlace: boolean
}

interface Plan extends Encoding {
  readonly steps: readonly Step[]
  /** The same as `steps` where there are no others than these, which keep a moving image moving. */
  readonly resizings: readonly ReturnType<typeof readResize>[] | undefined
}

const FORMATS: Readonly<Record<string, ImageFormat>> = {
  jpg: 'jpg',
  jpeg: 'jpg',
  png: 'png',
  webp: 'webp',
  bmp: 'bmp',
  gif: 'gif',
  tiff: 'tiff',
  avif: 'avif',
}

/** Everything is read before anything is done. */
function readPlan(actions: readonly Action[], readImage: ReadImage): Plan {
  const steps: Step[] = []
  const resizings: ReturnType<typeof readResize>[] = []
  let encoding: Encoding = { format: undefined, quality: undefined, relative: undefined, interlace: false }
  for (const action of actions) {
    const step = action.name === 'watermark' ? readWatermark(action, readImage) : readStep(action)
    if (step) steps.push(step)
    else encoding = { ...encoding, ...readEncoding(action) }
    if (action.name === 'resize') resizings.push(readResize(action))
  }
  return { ...encoding, steps, resizings: steps.length === resizings.length ? resizings : undefined }
}

function readEncoding(action: Action): Partial<Encoding> {
  if (action.name === 'format') return { format: readFormat(action) }
  if (action.name === 'interlace') return { interlace: onlyInteger(action, 0, 1) === 1 }
  if (action.name !== 'quality') {
    throw new OssError('InvalidArgument', { ArgumentName: action.name.slice(0, 64) }, 'Operation is not supported.')
  }
  const parameters = new ActionParameters(action)
  const [relative, quality] = [parameters.integer('q', 1, 100), parameters.integer('Q', 1, 100)]
  if (relative === undefined && quality === undefined) throw parameters.missing('q or Q')
  return { quality, relative }
}

function readFormat({ parameters: [name = '', ...others] }: Action): ImageFormat {
  if (name === 'heic') throw new OssError('NotImplemented', { Format: name })
  const format = Object.hasOwn(FORMATS, name) ? FORMATS[name] : undefined
  if (format === undefined || others.length > 0) throw invalidValue('format', [name, ...others].join(','))
  return format
}

async function processStill(
  bytes: Buffer,
  facts: ImageFacts,
  steps: readonly Step[],
  format: ImageFormat,
  encoding: Encoding,
  signal: AbortSignal,
): Promise<Processed> {
  try {
    let picture = await openPicture(bytes, facts)
    for (const step of steps) {
      // A short URL can ask for hours of work on a large image.
      if (signal.aborted) throw new OssError('InternalError')
      const change = await step(picture)
      if (change) picture = await settle(change.work, change.orientation ?? picture.orientation)
    }
    return await encode(picture, format, qualityOf(bytes, facts, encoding), encoding.interlace)
  } catch (error) {
    if (error instanceof OssError) throw error
    throw new OssError('BadRequest', {}, 'The image is broken.')
  }
}

async function openPicture(bytes: Buffer, facts: ImageFacts): Promise<Picture> {
  const sharp = await loadSharp()
  if (facts.format !== 'bmp') return { ...facts, open: () => sharp(bytes, { limitInputPixels: MAX_PIXELS }) }
  const pixels = decodeBmp(bytes)
  if (pixels === undefined) throw new OssError('BadRequest')
  return { ...facts, open: () => sharp(pixels.data, { raw: pixels }) }
}

/** Does what has been asked so far, so that the next step works on its result. */
async function settle(work: Sharp, orientation: number): Promise<Picture> {
  const sharp = await loadSharp()
  const { data, info } = await work.toColourspace('srgb').raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true })
  const { width, height, channels } = info
  const raw = { width, height, channels }
  return { width, height, hasAlpha: channels === 4 || channels === 2, orientation, open: () => sharp(data, { raw }) }
}

async function processFrames(
  bytes: Buffer,
  facts: ImageFacts,
  resizings: readonly ReturnType<typeof readResize>[],
  format: 'gif' | 'webp',
  { quality, relative }: Encoding,
): Promise<Processed> {
  const sharp = await loadSharp()
  let result = bytes
  let size = { width: facts.width, height: facts.height }
  for (const plan of resizings) {
    const wanted = plan(size)
    if (wanted === undefined) continue
    result = await sharp(result, { animated: true }).resize(wanted).toBuffer()
    size = wanted
  }
  const work = sharp(result, { animated: true })
  const encoded = format === 'gif' ? work.gif() : work.webp({ quality: quality ?? relative ?? DEFAULT_QUALITY })
  return { contentType: `image/${format}`, bytes: await encoded.toBuffer() }
}

const DEFAULT_QUALITY = 80

function qualityOf(bytes: Buffer, { format }: ImageFacts, { quality, relative }: Encoding): number {
  if (quality !== undefined) return quality
  if (relative === undefined) return DEFAULT_QUALITY
  const source = format === 'jpg' ? jpegQuality(bytes) : 100
  return Math.max(Math.round((source * relative) / 100), 1)
}

/** The quality that a JPEG was made with, told by its first quantisation table against that of the standard. */
function jpegQuality(bytes: Buffer): number {
  const at = bytes.indexOf(Buffer.from([0xff, 0xdb]))
  const table = at < 0 ? undefined : bytes.subarray(at + 5, at + 5 + 64)
  if (table?.length !== 64) return DEFAULT_QUALITY
  // The mean of the luminance table at quality 50.
  const scale = (table.reduce((sum, value) => sum + value, 0) / 64 / 57.625) * 100
  return Math.min(Math.max(Math.round(scale < 100 ? (200 - scale) / 2 : 5000 / scale), 1), 100)
}

const TYPES: Readonly<Record<ImageFormat, string>> = {
  jpg: 'image/jpeg',
  png: 'image/png',
  webp: 'image/webp',
  gif: 'image/gif',
  tiff: 'image/tiff',
  bmp: 'image/bmp',
  avif: 'image/avif',
}

async function encode(
  picture: Picture,
  format: ImageFormat,
  quality: number,
  progressive: boolean,
): Promise<Processed> {
  const work = picture.open().toColourspace('srgb')
  const turned = picture.orientation === 1 ? work : work.withMetadata({ orientation: picture.orientation })
  return { contentType: TYPES[format], bytes: await encodeAs(turned, format, quality, progressive) }
}

async function encodeAs(work: Sharp, format: ImageFormat, quality: number, progressive: boolean): Promise<Buffer> {
  if (format === 'jpg') {
    const jpeg = work.flatten({ background: '#ffffff' }).jpeg({ quality, progressive })
    return withoutDensity(await jpeg.toBuffer())
  }
  if (format === 'bmp') {
    const { data, info } = await work.flatten({ background: '#ffffff' }).raw().toBuffer({ resolveWithObject: true })
    if (info.channels !== 3) throw new OssError('InternalError')
    return encodeBmp({ data, width: info.width, height: info.height, channels: 3 })
  }
  if (format === 'png') return await work.png({ progressive }).toBuffer()
  if (format === 'gif') return await work.gif().toBuffer()
  return await work[format]({ quality }).toBuffer()
}
