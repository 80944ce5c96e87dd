import { OssError } from '../errors.ts'
import { readExif } from './exif.ts'
import { identifyImage, loadSharp, MAX_PIXELS } from './identify.ts'

/** What `image/info` answers. https://help.aliyun.com/zh/oss/user-guide/query-the-exif-data-of-an-image */
export async function imageInfo(bytes: Buffer): Promise<string> {
  const facts = await identifyImage(bytes)
  if (facts === undefined) throw new OssError('BadRequest')
  const exif = facts.exif && facts.format !== 'png' ? readExif(facts.exif) : new Map<string, string>()
  const values = new Map([
    ...(facts.format === 'jpg' ? jfifResolution(bytes) : []),
    ...exif,
    ['FileSize', String(bytes.length)],
    ['Format', facts.format],
    ['FrameCount', String(facts.frames)],
    ['ImageHeight', String(facts.height)],
    ['ImageWidth', String(facts.width)],
  ])
  const names = [...values.keys()].sort()
  const lines = names.map((name) => `    ${JSON.stringify(name)}: {"value": ${JSON.stringify(values.get(name))}}`)
  return `{\n${lines.join(',\n')}}`
}

/** The density that the head of a JPEG says, in EXIF's terms: no unit, inches, centimetres. */
function jfifResolution(bytes: Buffer): readonly (readonly [string, string])[] {
  const at = jfifOf(bytes)
  const [unit, x, y] =
    at < 0 ? [0, 1, 1] : [bytes[at + 7] ?? 0, bytes.readUInt16BE(at + 8), bytes.readUInt16BE(at + 10)]
  return [
    ['ResolutionUnit', String(unit + 1)],
    ['XResolution', `${x}/1`],
    ['YResolution', `${y}/1`],
  ]
}

/** Where the JFIF segment's content begins, which is the first one when it is there. */
function jfifOf(bytes: Buffer): number {
  return bytes.length > 20 && bytes.readUInt16BE(2) === 0xffe0 && bytes.toString('latin1', 6, 11) === 'JFIF\0' ? 6 : -1
}

/** A JPEG without a density of its own, as the service makes them. */
export function withoutDensity(jpeg: Buffer): Buffer {
  const at = jfifOf(jpeg)
  if (at >= 0) jpeg.set([0, 0, 1, 0, 1], at + 7)
  return jpeg
}

/** What `image/average-hue` answers. https://help.aliyun.com/zh/oss/user-guide/query-the-average-tone-of-an-image */
export async function averageHue(bytes: Buffer): Promise<string> {
  const facts = await identifyImage(bytes)
  // The library could draw more than the service calls an image.
  if (facts === undefined) throw new OssError('BadRequest')
  if (facts.width * facts.height > MAX_PIXELS) throw new OssError('ImageTooLarge')
  const sharp = await loadSharp()
  const { data } = await sharp(bytes)
    .toColourspace('srgb')
    .flatten({ background: '#ffffff' })
    .resize(1, 1, { fit: 'fill' })
    .raw()
    .toBuffer({ resolveWithObject: true })
    .catch(() => {
      throw new OssError('BadRequest')
    })
  return `{"RGB": "0x${data.subarray(0, 3).toString('hex')}"}`
}
