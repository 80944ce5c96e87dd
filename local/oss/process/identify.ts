import { readBmpHeader } from './bmp.ts'

/** Formats by the names that the service has for them. */
export type ImageFormat = 'jpg' | 'png' | 'webp' | 'gif' | 'tiff' | 'bmp' | 'avif'

/** What an image says about itself. */
export interface ImageFacts {
  readonly format: ImageFormat
  readonly width: number
  readonly height: number
  readonly frames: number
  readonly hasAlpha: boolean
  /** How it is to be turned for viewing, as EXIF counts it: 1 to 8. */
  readonly orientation: number
  readonly exif: Buffer | undefined
}

const FORMATS: Readonly<Record<string, ImageFormat>> = {
  jpeg: 'jpg',
  png: 'png',
  webp: 'webp',
  gif: 'gif',
  tiff: 'tiff',
  heif: 'avif',
  avif: 'avif',
}

/** Of an image that is worked on, in all its frames. https://help.aliyun.com/en/oss/user-guide/0040-00000012 */
export const MAX_PIXELS = 250_000_000

/** The library that works on images; loaded when the first one comes. */
export async function loadSharp() {
  return (await import('sharp')).default
}

/** Recognises an image by its bytes; `undefined` for anything else. */
export async function identifyImage(bytes: Buffer): Promise<ImageFacts | undefined> {
  const bitmap = readBmpHeader(bytes)
  if (bitmap) {
    const { width, height } = bitmap
    return { format: 'bmp', width, height, frames: 1, hasAlpha: false, orientation: 1, exif: undefined }
  }
  const sharp = await loadSharp()
  const found = await sharp(bytes, { limitInputPixels: false })
    .metadata()
    .catch(() => undefined)
  const format = found && FORMATS[found.format]
  if (!found || format === undefined) return undefined
  const { width, height, pages = 1, hasAlpha, orientation = 1, exif } = found
  return { format, width, height, frames: pages, hasAlpha, orientation, exif }
}
