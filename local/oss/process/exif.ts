/** Tags of EXIF by number; those that are not named here are left out. https://www.cipa.jp/std/documents/e/DC-X008-Translation-2019-E.pdf */
const MAIN: Readonly<Record<number, string>> = {
  256: 'ImageWidth',
  257: 'ImageLength',
  258: 'BitsPerSample',
  259: 'Compression',
  262: 'PhotometricInterpretation',
  270: 'ImageDescription',
  271: 'Make',
  272: 'Model',
  274: 'Orientation',
  277: 'SamplesPerPixel',
  282: 'XResolution',
  283: 'YResolution',
  284: 'PlanarConfiguration',
  296: 'ResolutionUnit',
  305: 'Software',
  306: 'DateTime',
  315: 'Artist',
  531: 'YCbCrPositioning',
  33432: 'Copyright',
  33434: 'ExposureTime',
  33437: 'FNumber',
  34665: 'ExifTag',
  34850: 'ExposureProgram',
  34853: 'GPSTag',
  34855: 'ISOSpeedRatings',
  36867: 'DateTimeOriginal',
  36868: 'DateTimeDigitized',
  37377: 'ShutterSpeedValue',
  37378: 'ApertureValue',
  37379: 'BrightnessValue',
  37380: 'ExposureBiasValue',
  37381: 'MaxApertureValue',
  37383: 'MeteringMode',
  37384: 'LightSource',
  37385: 'Flash',
  37386: 'FocalLength',
  40961: 'ColorSpace',
  40962: 'PixelXDimension',
  40963: 'PixelYDimension',
  41486: 'FocalPlaneXResolution',
  41487: 'FocalPlaneYResolution',
  41495: 'SensingMethod',
  41986: 'ExposureMode',
  41987: 'WhiteBalance',
  41988: 'DigitalZoomRatio',
  41989: 'FocalLengthIn35mmFilm',
  41990: 'SceneCaptureType',
}

const GPS: Readonly<Record<number, string>> = {
  1: 'GPSLatitudeRef',
  2: 'GPSLatitude',
  3: 'GPSLongitudeRef',
  4: 'GPSLongitude',
  5: 'GPSAltitudeRef',
  6: 'GPSAltitude',
  7: 'GPSTimeStamp',
  29: 'GPSDateStamp',
}

/** Tags whose value is where further tags are. */
const DIRECTORIES: Readonly<Record<number, Readonly<Record<number, string>>>> = { 34665: MAIN, 34853: GPS }

/** Reads the tags of an EXIF block as texts; what is broken in it is left out. */
export function readExif(block: Buffer): ReadonlyMap<string, string> {
  const tags = new Map<string, string>()
  const reader = openTiff(block)
  if (reader === undefined) return tags
  for (const { entry, names } of allEntries(reader)) {
    const name = names[entry.tag]
    const value = reader.value(entry)
    if (name && value) tags.set(name, value)
  }
  return tags
}

/** The entries of every directory, each with the names that are known there; a directory is read once. */
function* allEntries(reader: TiffReader) {
  const waiting = [{ offset: reader.long(4), names: MAIN }]
  const seen = new Set([0])
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { offset, names } = next
    if (seen.has(offset)) continue
    seen.add(offset)
    for (const entry of reader.entries(offset)) {
      const deeper = DIRECTORIES[entry.tag]
      if (deeper) waiting.push({ offset: reader.long(entry.at), names: deeper })
      yield { entry, names }
    }
  }
}

/** The reader of a block, `undefined` when it does not say in which order its bytes are. */
function openTiff(block: Buffer): TiffReader | undefined {
  const tiff = block.subarray(block.toString('latin1', 0, 6) === 'Exif\0\0' ? 6 : 0)
  const order = tiff.toString('latin1', 0, 2)
  return order === 'II' || order === 'MM' ? new TiffReader(tiff, order === 'II') : undefined
}

interface Entry {
  readonly tag: number
  readonly type: number
  readonly count: number
  /** Where the value is. */
  readonly at: number
}

const SIZES: Readonly<Record<number, number>> = { 1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 9: 4, 10: 8 }
const MAX_VALUES = 64

/** Reads numbers of either byte order; outside the block there are only zeros. */
class TiffReader {
  private readonly bytes: Buffer
  private readonly little: boolean

  constructor(bytes: Buffer, little: boolean) {
    this.bytes = bytes
    this.little = little
  }

  short(at: number): number {
    if (at < 0 || at + 2 > this.bytes.length) return 0
    return this.little ? this.bytes.readUInt16LE(at) : this.bytes.readUInt16BE(at)
  }

  long(at: number): number {
    if (at < 0 || at + 4 > this.bytes.length) return 0
    return this.little ? this.bytes.readUInt32LE(at) : this.bytes.readUInt32BE(at)
  }

  entries(offset: number): readonly Entry[] {
    const count = this.short(offset)
    if (offset + 2 + count * 12 > this.bytes.length) return []
    return Array.from({ length: count }, (_, index) => {
      const at = offset + 2 + index * 12
      const [type, values] = [this.short(at + 2), this.long(at + 4)]
      const fits = (SIZES[type] ?? 0) * values <= 4
      return { tag: this.short(at), type, count: values, at: fits ? at + 8 : this.long(at + 8) }
    })
  }

  value({ type, count, at }: Entry): string {
    const size = SIZES[type]
    if (size === undefined || at + size * count > this.bytes.length) return ''
    if (type === 2)
      return this.bytes
        .toString('utf8', at, at + count)
        .replace(/\0.*$/s, '')
        .trim()
    const one = (index: number) => this.number(type, at + index * size)
    return Array.from({ length: Math.min(count, MAX_VALUES) }, (_, index) => one(index)).join(' ')
  }

  private number(type: number, at: number): string {
    if (type === 3) return String(this.short(at))
    if (type === 4) return String(this.long(at))
    if (type === 9) return String(this.long(at) | 0)
    if (type === 5) return `${this.long(at)}/${this.long(at + 4)}`
    if (type === 10) return `${this.long(at) | 0}/${this.long(at + 4) | 0}`
    return String(this.bytes[at] ?? 0)
  }
}
