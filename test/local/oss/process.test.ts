import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { OssError } from '../../../local/oss/errors.ts'
import { encodeBmp } from '../../../local/oss/process/bmp.ts'
import { processImage } from '../../../local/oss/process/image.ts'
import { BUCKET, type OpenOss, openOss } from './open.ts'
import { send, signedV1 } from './raw.ts'

let oss: OpenOss
let photo: Buffer

/** 400 by 267: four quarters of plain colours, so that a place in the result tells where it came from. */
const RED = [255, 0, 0]
const GREEN = [0, 255, 0]
const BLUE = [0, 0, 255]
const YELLOW = [255, 255, 0]
const WHITE = [255, 255, 255]

async function makePhoto(): Promise<Buffer> {
  const quarters = [RED, GREEN, BLUE, YELLOW].map(async ([r = 0, g = 0, b = 0], index) => ({
    input: await sharp({ create: { width: 200, height: 134, channels: 3, background: { r, g, b } } })
      .png()
      .toBuffer(),
    left: (index % 2) * 200,
    top: Math.floor(index / 2) * 133,
  }))
  const canvas = sharp({ create: { width: 400, height: 267, channels: 3, background: 'black' } })
  return await canvas
    .composite(await Promise.all(quarters))
    .removeAlpha()
    .png()
    .toBuffer()
}

beforeAll(async () => {
  oss = await openOss()
  photo = await makePhoto()
  const client = oss.client('V4')
  await client.put('photo.png', photo)
  await client.put('photo.jpg', await sharp(photo).jpeg({ quality: 95, chromaSubsampling: '4:4:4' }).toBuffer())
  await client.put('text.txt', Buffer.from('this is no image'))
})
afterAll(() => oss.close())

async function processed(process: string, key = 'photo.png') {
  const { content, res } = await oss.client('V4').get(key, { process })
  return { bytes: content as Buffer, headers: res.headers as Record<string, string> }
}

/** Size and format of what a processing makes, told by another decoder than by our own `info`. */
async function shape(process: string, key = 'photo.png') {
  const { bytes } = await processed(process, key)
  const { width, height, format } = await sharp(bytes).metadata()
  return { width, height, format }
}

async function pixel(process: string, x: number, y: number, key = 'photo.png'): Promise<number[]> {
  const { bytes } = await processed(process, key)
  return [...(await sharp(bytes).extract({ left: x, top: y, width: 1, height: 1 }).raw().toBuffer())]
}

async function refusal(process: string, key = 'photo.png') {
  try {
    await processed(process, key)
    return undefined
  } catch (error) {
    const { status, code, message } = error as { status: number; code: string; message: string }
    return { status, code, message }
  }
}

describe('image/resize', () => {
  test.each<[string, number, number]>([
    ['w_100', 100, 67],
    ['h_100', 150, 100],
    ['w_100,h_100', 100, 67],
    ['m_lfit,w_100,h_50', 75, 50],
    ['m_mfit,w_100,h_100', 150, 100],
    ['m_fill,w_100,h_100', 100, 100],
    ['m_pad,w_100,h_100', 100, 100],
    ['m_fixed,w_100,h_100', 100, 100],
    ['l_100', 100, 67],
    ['s_100', 150, 100],
    ['p_50', 200, 134],
    ['p_200', 800, 534],
    ['w_800', 400, 267],
    ['w_800,limit_1', 400, 267],
    ['w_800,limit_0', 800, 534],
    ['m_fixed,w_500,h_100', 400, 267],
    ['m_fixed,w_500,h_100,limit_0', 500, 100],
    ['w_100,unknown_1', 100, 67],
  ])('%s makes it %i by %i', async (parameters, width, height) => {
    expect(await shape(`image/resize,${parameters}`)).toEqual({ width, height, format: 'png' })
  })

  test.each(['m_fixed,w_5000,h_5000,limit_0', 'w_6000,limit_0', 'm_pad,w_16384,h_1025,limit_0'])(
    '%s is more than the service draws',
    async (parameters) => {
      expect(await refusal(`image/resize,${parameters}`)).toMatchObject({ status: 400, code: 'ImageTooLarge' })
    },
  )

  test('pads with white or the colour that is asked for, and fills from the middle', async () => {
    expect(await pixel('image/resize,m_pad,w_100,h_100', 50, 2)).toEqual(WHITE)
    expect(await pixel('image/resize,m_pad,w_100,h_100,color_0000FF', 50, 2)).toEqual(BLUE)
    expect(await pixel('image/resize,m_fill,w_100,h_100', 2, 2)).toEqual(RED)
  })

  test('works the same in each signature and in presigned URLs', async () => {
    const process = 'image/resize,m_fixed,w_10,h_12'
    const v1 = (await oss.client('V1').get('photo.png', { process })).content as Buffer
    const urls = [
      oss.client('V1').signatureUrl('photo.png', { process }),
      await oss.client('V4').signatureUrlV4('GET', 60, { queries: { 'x-oss-process': process } }, 'photo.png'),
    ]
    const answers = await Promise.all(urls.map(async (url) => Buffer.from(await (await fetch(url)).arrayBuffer())))
    for (const bytes of [v1, ...answers]) expect(await sharp(bytes).metadata()).toMatchObject({ width: 10, height: 12 })
  })
})

describe('image actions', () => {
  test.each<[string, number, number, string]>([
    ['crop,w_100,h_50', 100, 50, 'png'],
    ['crop,x_350,y_200', 50, 67, 'png'],
    ['crop,w_100,h_100,x_100,y_100,r_1', 100, 100, 'png'],
    ['indexcrop,x_100,i_1', 100, 267, 'png'],
    ['indexcrop,y_100,i_2', 400, 67, 'png'],
    ['indexcrop,x_100,i_9', 400, 267, 'png'],
    ['rotate,90', 267, 400, 'png'],
    ['rotate,180', 400, 267, 'png'],
    ['circle,r_50', 100, 100, 'png'],
    ['circle,r_4096', 267, 267, 'png'],
    ['rounded-corners,r_30', 400, 267, 'png'],
    ['blur,r_3,s_2', 400, 267, 'png'],
    ['bright,50', 400, 267, 'png'],
    ['contrast,-50', 400, 267, 'png'],
    ['sharpen,100', 400, 267, 'png'],
    ['auto-orient,1', 400, 267, 'png'],
    ['quality,q_50', 400, 267, 'png'],
    ['interlace,1', 400, 267, 'png'],
    ['format,jpg', 400, 267, 'jpeg'],
    ['format,png', 400, 267, 'png'],
    ['format,webp', 400, 267, 'webp'],
    ['format,gif', 400, 267, 'gif'],
    ['format,tiff', 400, 267, 'tiff'],
    ['format,avif', 400, 267, 'heif'],
    ['resize,w_100/rotate,90/format,jpg', 67, 100, 'jpeg'],
    ['rotate,90/resize,w_100', 100, 150, 'png'],
    ['crop,w_100,h_100/circle,r_20/resize,w_10', 10, 10, 'png'],
  ])('%s makes it %i by %i, %s', async (actions, width, height, format) => {
    expect(await shape(`image/${actions}`)).toEqual({ width, height, format })
  })

  test.each<[string, number, number, number[]]>([
    ['crop,w_50,h_50', 5, 5, RED],
    ['crop,w_50,h_50,g_ne', 5, 5, GREEN],
    ['crop,w_50,h_50,g_sw', 5, 5, BLUE],
    ['crop,w_50,h_50,g_se', 5, 5, YELLOW],
    ['crop,w_50,h_50,x_220', 5, 5, GREEN],
    ['rotate,90', 5, 5, BLUE],
    ['rotate,180', 5, 5, YELLOW],
    ['indexcrop,x_200,i_1', 5, 5, GREEN],
    ['bright,100', 5, 5, [255, 128, 128]],
    ['format,jpg/circle,r_100', 0, 0, [255, 255, 255]],
  ])('after %s the pixel at %i, %i is right', async (actions, x, y, colour) => {
    const found = await pixel(`image/${actions}`, x, y)
    const far = found.slice(0, 3).map((value, index) => Math.abs(value - (colour[index] ?? 0)))
    expect(Math.max(...far)).toBeLessThan(6)
  })

  test('corners that are cut off are transparent, or white where there is no transparency', async () => {
    expect((await pixel('image/rounded-corners,r_60', 0, 0)).at(3)).toBe(0)
    expect(await pixel('image/rounded-corners,r_60/format,jpg', 0, 0)).toEqual(WHITE)
    expect((await pixel('image/rotate,45', 0, 0)).at(3)).toBe(0)
  })

  test('quality makes a JPEG smaller, relative to its own or outright', async () => {
    const size = async (actions: string) => (await processed(`image/${actions}`, 'noise.jpg')).bytes.length
    const noise = sharp({
      create: {
        width: 200,
        height: 200,
        channels: 3,
        background: 'grey',
        noise: { type: 'gaussian', mean: 128, sigma: 60 },
      },
    })
    await oss.client('V4').put('noise.jpg', await noise.jpeg({ quality: 60 }).toBuffer())
    const [q10, q90, absolute90] = [await size('quality,q_10'), await size('quality,q_90'), await size('quality,Q_90')]
    expect(q10).toBeLessThan(q90)
    expect(q90).toBeLessThan(absolute90)
  })

  test('a bitmap can be read and written', async () => {
    const { data, info } = await sharp(photo).raw().toBuffer({ resolveWithObject: true })
    await oss.client('V4').put('photo.bmp', encodeBmp({ data, width: info.width, height: info.height, channels: 3 }))
    expect(await pixel('image/format,png', 5, 5, 'photo.bmp')).toEqual(RED)
    expect(await pixel('image/format,png', 395, 262, 'photo.bmp')).toEqual(YELLOW)
    const { bytes, headers } = await processed('image/resize,w_100', 'photo.bmp')
    expect(headers['content-type']).toBe('image/bmp')
    expect([bytes.toString('latin1', 0, 2), bytes.readInt32LE(18), bytes.readInt32LE(22)]).toEqual(['BM', 100, 67])
  })

  test('a moving picture still moves when it has only been resized', async () => {
    const frames = await Promise.all(
      ['red', 'green', 'blue'].map((background) =>
        sharp({ create: { width: 40, height: 30, channels: 3, background } })
          .png()
          .toBuffer(),
      ),
    )
    await oss.client('V4').put(
      'moving.gif',
      await sharp(frames, { join: { animated: true } })
        .gif()
        .toBuffer(),
    )
    const resized = await processed('image/resize,w_20', 'moving.gif')
    expect(await sharp(resized.bytes, { animated: true }).metadata()).toMatchObject({
      format: 'gif',
      pages: 3,
      width: 20,
      pageHeight: 15,
    })
    const turned = await processed('image/rotate,90', 'moving.gif')
    expect((await sharp(turned.bytes, { animated: true }).metadata()).pages ?? 1).toBe(1)
  })

  test('a picture that lies on its side is turned by auto-orient, and keeps saying so without', async () => {
    await oss.client('V4').put('side.jpg', await sharp(photo).jpeg().withMetadata({ orientation: 6 }).toBuffer())
    const turned = await sharp((await processed('image/auto-orient,1', 'side.jpg')).bytes).metadata()
    expect([turned.width, turned.height, turned.orientation ?? 1]).toEqual([267, 400, 1])
    const left = await sharp((await processed('image/resize,w_100', 'side.jpg')).bytes).metadata()
    expect([left.width, left.height, left.orientation]).toEqual([100, 67, 6])
  })

  test('a watermark of text or of another image changes pixels at its place only', async () => {
    const text = Buffer.from('Hello 图片服务!').toString('base64url')
    const marked = await sharp((await processed(`image/watermark,text_${text},color_ffffff,g_nw,x_0,y_0`)).bytes)
      .raw()
      .toBuffer()
    const plain = await sharp(photo).raw().toBuffer()
    const rowDiffers = (y: number) =>
      !marked.subarray(y * 1200, (y + 1) * 1200).equals(plain.subarray(y * 1200, (y + 1) * 1200))
    expect(Array.from({ length: 56 }, (_, y) => rowDiffers(y)).some(Boolean)).toBe(true)
    expect(Array.from({ length: 150 }, (_, y) => rowDiffers(y + 100)).some(Boolean)).toBe(false)
    await oss.client('V4').put(
      'mark.png',
      await sharp({ create: { width: 20, height: 10, channels: 3, background: '#ffffff' } })
        .png()
        .toBuffer(),
    )
    const image = Buffer.from('mark.png').toString('base64url')
    const watermark = `image/watermark,image_${image},g_se,x_10,y_10`
    expect(await pixel(watermark, 375, 252)).toEqual(WHITE)
    expect(await pixel(watermark, 365, 252)).toEqual(YELLOW)
    expect(await pixel(`${watermark},t_0`, 375, 252)).toEqual(YELLOW)
    const other = Buffer.from('text.txt').toString('base64url')
    expect(await refusal(`image/watermark,image_${other}`)).toMatchObject({ status: 400, code: 'BadRequest' })
  })
})

describe('image/info', () => {
  test('says of a JPEG what the service says, in its format', async () => {
    await oss.client('V4').put('plain.jpg', (await processed('image/resize,m_fixed,w_100,h_100', 'photo.jpg')).bytes)
    const { bytes, headers } = await processed('image/info', 'plain.jpg')
    expect(headers['content-type']).toBe('application/json')
    const size = Number((await oss.client('V4').head('plain.jpg')).res.headers['content-length' as never])
    expect(bytes.toString()).toBe(
      `{\n    "FileSize": {"value": "${size}"},\n    "Format": {"value": "jpg"},\n    "FrameCount": {"value": "1"},\n` +
        '    "ImageHeight": {"value": "100"},\n    "ImageWidth": {"value": "100"},\n    "ResolutionUnit": {"value": "1"},\n' +
        '    "XResolution": {"value": "1/1"},\n    "YResolution": {"value": "1/1"}}',
    )
  })

  test('lists the tags of EXIF', async () => {
    const exif = {
      IFD0: { Make: 'Yunbo', DateTime: '2026:11:22 05:00:00' },
      IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '30/1 15/1 0/1' },
    }
    await oss.client('V4').put('tagged.jpg', await sharp(photo).jpeg().withExif(exif).toBuffer())
    const info = JSON.parse((await processed('image/info', 'tagged.jpg')).bytes.toString())
    expect(info).toMatchObject({
      Make: { value: 'Yunbo' },
      DateTime: { value: '2026:11:22 05:00:00' },
      GPSLatitudeRef: { value: 'N' },
      GPSLatitude: { value: '30/1 15/1 0/1' },
      ImageWidth: { value: '400' },
      Format: { value: 'jpg' },
    })
  })

  test('average-hue says one colour', async () => {
    await oss.client('V4').put(
      'red.png',
      await sharp({ create: { width: 9, height: 9, channels: 3, background: '#5c783b' } })
        .png()
        .toBuffer(),
    )
    expect((await processed('image/average-hue', 'red.png')).bytes.toString()).toBe('{"RGB": "0x5c783b"}')
  })
})

describe('a processing', () => {
  test('goes no further when its client has gone or its time is over', async () => {
    const gone = new AbortController()
    const done: string[] = []
    const readMark = async (key: string) => {
      done.push(key)
      gone.abort()
      return photo
    }
    const marks = ['one', 'two'].map((key) => ({
      name: 'watermark',
      parameters: [`image_${Buffer.from(key).toString('base64url')}`, 'P_10'],
    }))
    await expect(processImage(photo, marks, readMark, gone.signal)).rejects.toThrow(OssError)
    expect(done).toEqual(['one'])
  })

  test('answers the ETag of its source, and neither sums nor length of it', async () => {
    const { headers, bytes } = await processed('image/resize,w_10')
    const source = (await oss.client('V4').head('photo.png')).res.headers as Record<string, string>
    expect(headers).toMatchObject({
      etag: source.etag,
      'content-type': 'image/png',
      'content-length': String(bytes.length),
    })
    expect(headers).not.toHaveProperty('x-oss-hash-crc64ecma')
    expect(headers).not.toHaveProperty('content-md5')
  })

  test('is subject to conditions as its source is', async () => {
    const { etag } = (await oss.client('V4').head('photo.png')).res.headers as Record<string, string>
    const url = oss.client('V1').signatureUrl('photo.png', { process: 'image/info' })
    expect((await fetch(url, { headers: { 'if-none-match': etag ?? '' } })).status).toBe(304)
    expect((await fetch(url, { headers: { 'if-match': '"other"' } })).status).toBe(412)
  })

  test('needs the right to read the object', async () => {
    const answer = await fetch(`${oss.service.url}/${BUCKET}/photo.png?x-oss-process=image/info`)
    expect(answer.status).toBe(403)
    await oss.client('V4').putACL('photo.png', 'public-read')
    expect((await fetch(`${oss.service.url}/${BUCKET}/photo.png?x-oss-process=image/info`)).status).toBe(200)
    await oss.client('V4').putACL('photo.png', 'default' as never)
  })

  test('may be kept under a name', async () => {
    const keys = { accessKeyId: 'LTAIaccount', accessKeySecret: 'account-secret' }
    const body = '<Style><Content>image/resize,w_10</Content></Style>'
    const put = { method: 'PUT', path: `/${BUCKET}/?style&styleName=thumb`, body }
    const stored = await send(oss.service.port, signedV1(keys, put, `/${BUCKET}/?style&styleName=thumb`))
    expect([stored.status, stored.text]).toEqual([200, ''])
    expect(await shape('style/thumb')).toMatchObject({ width: 10 })
    expect(await refusal('style/unknown')).toMatchObject({ status: 404, code: 'NoSuchStyle' })
  })

  test.each<[string, string]>([
    ['image/resize,w_0', 'InvalidArgument'],
    ['image/resize,w_16385', 'InvalidArgument'],
    ['image/resize,w_a', 'InvalidArgument'],
    ['image/resize,m_big,w_1', 'InvalidArgument'],
    ['image/resize,p_0', 'InvalidArgument'],
    ['image/resize,w_1,limit_2', 'InvalidArgument'],
    ['image/resize,m_pad,w_1,color_red', 'InvalidArgument'],
    ['image/resize', 'MissingArgument'],
    ['image/crop,x_400', 'BadRequest'],
    ['image/crop,w_-1', 'InvalidArgument'],
    ['image/crop,g_up', 'InvalidArgument'],
    ['image/rotate,361', 'InvalidArgument'],
    ['image/rotate,90,200,300', 'InvalidArgument'],
    ['image/rotate', 'InvalidArgument'],
    ['image/format,exe', 'InvalidArgument'],
    ['image/format,heic', 'NotImplemented'],
    ['image/quality,q_101', 'InvalidArgument'],
    ['image/quality', 'MissingArgument'],
    ['image/sharpen,49', 'InvalidArgument'],
    ['image/bright,101', 'InvalidArgument'],
    ['image/blur,r_51,s_1', 'InvalidArgument'],
    ['image/blur,r_5', 'MissingArgument'],
    ['image/circle,r_0', 'InvalidArgument'],
    ['image/auto-orient,10', 'InvalidArgument'],
    ['image/indexcrop,i_1', 'MissingArgument'],
    ['image/watermark', 'MissingArgument'],
    ['image/watermark,text_***', 'BadRequest'],
    ['image/unknown', 'InvalidArgument'],
    ['image/constructor', 'InvalidArgument'],
    ['image/', 'InvalidArgument'],
    ['image', 'InvalidArgument'],
    ['audio/convert', 'InvalidArgument'],
    ['video/convert', 'InvalidArgument'],
    ['video/snapshot,t_-32', 'InvalidArgument'],
    ['video/snapshot,t_abc', 'InvalidArgument'],
    ['video/snapshot,f_32', 'InvalidArgument'],
    ['video/snapshot,m_slow', 'InvalidArgument'],
    ['video/snapshot,w_-1', 'InvalidArgument'],
  ])('%s is refused as %s', async (process, code) => {
    expect(await refusal(process)).toMatchObject({ status: code === 'NotImplemented' ? 501 : 400, code })
  })

  test('of something that is no image, is broken or too large is refused', async () => {
    const client = oss.client('V4')
    await client.put('drawing.svg', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'))
    expect(await refusal('image/average-hue', 'drawing.svg')).toMatchObject({ status: 400, code: 'BadRequest' })
    expect(await refusal('image/resize,w_10', 'text.txt')).toMatchObject({ status: 400, code: 'BadRequest' })
    expect(await refusal('image/info', 'text.txt')).toMatchObject({ status: 400, code: 'BadRequest' })
    await client.put('broken.png', photo.subarray(0, 300))
    expect(await refusal('image/resize,w_10', 'broken.png')).toMatchObject({ status: 400, code: 'BadRequest' })
    await client.put('large.png', Buffer.alloc(20 * 1024 * 1024 + 1))
    expect(await refusal('image/info', 'large.png')).toMatchObject({ status: 400, code: 'ImageTooLarge' })
    expect(await refusal('image/info', 'missing.png')).toMatchObject({ status: 404, code: 'NoSuchKey' })
  })
})

describe('sys/saveas', () => {
  const encode = (text: string) => Buffer.from(text).toString('base64url')

  async function save(body: string, key = 'photo.png') {
    const url = oss
      .client('V1')
      .signatureUrl(key, { method: 'POST' as never, subResource: { 'x-oss-process': '' } } as never)
    const answer = await fetch(url, { method: 'POST', body: Buffer.from(body) })
    return { status: answer.status, text: await answer.text() }
  }

  test('stores what ali-oss asks for, in the same bucket or in another one', async () => {
    const client = oss.client('V1') as unknown as { processObjectSave(...names: string[]): Promise<{ status: number }> }
    await oss.service.createBucket('bucket-two')
    expect((await client.processObjectSave('photo.png', 'saved/ä.png', 'image/resize,w_50')).status).toBe(200)
    expect((await client.processObjectSave('photo.png', 'saved.png', 'image/format,jpg', 'bucket-two')).status).toBe(
      200,
    )
    expect(await shape('image/resize,w_400', 'saved/ä.png')).toMatchObject({ width: 50 })
    const other = oss.client('V1')
    other.useBucket('bucket-two')
    expect((await other.head('saved.png')).res.headers).toMatchObject({ 'content-type': 'image/jpeg' })
  })

  test('answers what it stored', async () => {
    const { status, text } = await save(
      `x-oss-process=image/resize,w_50|sys/saveas,o_${encode('s.png')},b_${encode(BUCKET)}`,
    )
    const size = (await oss.client('V1').head('s.png')).res.headers['content-length' as never]
    expect([status, text]).toEqual([
      200,
      `{\n    "bucket": "${BUCKET}",\n    "fileSize": ${size},\n    "object": "s.png",\n    "status": "OK"}`,
    ])
    const own = await save(`x-oss-process=image/resize,w_50|sys/saveas,o_${encode('s2.png')}`)
    expect(JSON.parse(own.text)).toMatchObject({ bucket: '', object: 's2.png', status: 'OK' })
  })

  test.each<[string, number, string]>([
    ['x-oss-process=', 400, 'InvalidRequest'],
    ['', 400, 'InvalidRequest'],
    ['x-oss-process=image/resize,w_50', 400, 'InvalidArgument'],
    [`x-oss-process=image/resize,w_50|saveas,o_${encode('x')}`, 400, 'InvalidArgument'],
    ['x-oss-process=image/resize,w_50|sys/saveas', 400, 'MissingArgument'],
    [`x-oss-process=image/resize,w_50|sys/saveas,o_${encode('/x')}`, 400, 'InvalidObjectName'],
    [`x-oss-process=image/resize,w_50|sys/saveas,o_${encode('x')},b_${encode('no-such-bucket')}`, 404, 'NoSuchBucket'],
    [`x-oss-process=image/unknown|sys/saveas,o_${encode('x')}`, 400, 'InvalidArgument'],
  ])('%s is refused', async (body, status, code) => {
    const answer = await save(body)
    expect(answer).toMatchObject({ status, text: expect.stringContaining(`<Code>${code}</Code>`) })
  })
})

describe('video/snapshot', () => {
  const run = promisify(execFile)

  beforeAll(async () => {
    const dir = await mkdtemp(join(tmpdir(), 'clip-'))
    const make = async (key: string, ...codec: string[]) => {
      const path = join(dir, key)
      // Each second has a grey of its own.
      const source = [
        '-f',
        'lavfi',
        '-i',
        "color=black:size=64x48:rate=10:duration=3,geq=lum='floor(T)*60+60':cb=128:cr=128",
      ]
      await run('ffmpeg', ['-loglevel', 'error', ...source, ...codec, '-pix_fmt', 'yuv420p', path])
      await oss.client('V4').put(key, await readFile(path))
    }
    await make('clip.mp4', '-c:v', 'libx264', '-g', '30')
    await make('old.avi', '-c:v', 'mpeg4')
    const bytes = (await oss.client('V4').get('clip.mp4')).content as Buffer
    await oss
      .client('V4')
      .multipartUpload('parts.mp4', Buffer.concat([bytes, Buffer.alloc(300_000)]), { partSize: 102_400 })
    await rm(dir, { recursive: true })
  })

  const grey = async (process: string, key = 'clip.mp4') => {
    const { bytes } = await processed(process, key)
    const [value = 0] = await sharp(bytes)
      .greyscale()
      .extract({ left: 30, top: 20, width: 1, height: 1 })
      .raw()
      .toBuffer()
    return Math.round((value * 219) / 255 + 16)
  }

  test.each<[string, number]>([
    ['t_0', 60],
    ['t_500', 60],
    ['t_1500,f_png', 120],
    ['t_2500,f_jpg', 180],
    ['t_99000', 180],
    ['t_2500,m_fast', 60],
    ['t_2500,ar_auto', 180],
  ])('%s takes the right frame', async (parameters, expected) => {
    expect(Math.abs((await grey(`video/snapshot,${parameters}`)) - expected)).toBeLessThan(8)
  })

  test.each<[string, number, number, string]>([
    ['f_jpg', 64, 48, 'jpeg'],
    ['f_png,w_32,h_32', 32, 32, 'png'],
    ['f_jpg,w_32', 32, 24, 'jpeg'],
    ['f_jpg,w_0,h_24', 32, 24, 'jpeg'],
  ])('%s makes it %i by %i, %s', async (parameters, width, height, format) => {
    expect(await shape(`video/snapshot,t_0,${parameters}`, 'clip.mp4')).toEqual({ width, height, format })
  })

  test('reads a video that was uploaded in parts, and answers as an image', async () => {
    expect(Math.abs((await grey('video/snapshot,t_1500', 'parts.mp4')) - 120)).toBeLessThan(8)
    expect((await processed('video/snapshot,t_0,f_jpg', 'parts.mp4')).headers['content-type']).toBe('image/jpeg')
  })

  test('can be stored', async () => {
    const client = oss.client('V1') as unknown as { processObjectSave(...names: string[]): Promise<{ status: number }> }
    await client.processObjectSave('clip.mp4', 'cover.jpg', 'video/snapshot,t_1000,f_jpg,w_32')
    expect(await shape('image/resize,w_400', 'cover.jpg')).toMatchObject({ width: 32, height: 24, format: 'jpeg' })
  })

  test('of another codec, or of no video, is refused', async () => {
    expect(await refusal('video/snapshot,t_0', 'old.avi')).toMatchObject({ status: 400, code: 'BadRequest' })
    expect(await refusal('video/snapshot,t_0', 'text.txt')).toMatchObject({ status: 400, code: 'BadRequest' })
    expect(await refusal('video/snapshot,t_0', 'missing.mp4')).toMatchObject({ status: 404, code: 'NoSuchKey' })
  })

  test('goes on for others when a client has left', async () => {
    const url = oss.client('V1').signatureUrl('clip.mp4', { process: 'video/snapshot,t_2900,f_png' })
    const leaving = Array.from({ length: 4 }, () => {
      const request = http.get(url).on('error', () => {})
      return new Promise<void>((resolve) =>
        request.on('socket', (socket) =>
          socket.on('connect', () => {
            request.destroy()
            resolve()
          }),
        ),
      )
    })
    await Promise.all(leaving)
    expect(Math.abs((await grey('video/snapshot,t_0')) - 60)).toBeLessThan(8)
  })
})
