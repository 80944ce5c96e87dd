import { stat } from 'node:fs/promises'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import {
  canPlay,
  largeClip,
  newUser,
  notePieces,
  openBrowser,
  slowDown,
  tabTo,
  type User,
  type Visit,
  visit,
} from './browser.ts'
import { clipFile, openStage, type Stage } from './cloud.ts'

const MIB = 1024 * 1024

let stage: Stage
let browser: Browser
let gateway: string
let demo: User
let clip: string
/** Where the first upload can be watched. */
let watchPath: string

beforeAll(async () => {
  ;[stage, browser, clip] = await Promise.all([openStage(), openBrowser(), largeClip()])
  gateway = stage.local.cloud.gateway
  demo = stage.local.cloud.user
})
afterAll(async () => {
  await browser?.close()
  await stage?.close()
})

async function open(options: Parameters<typeof visit>[2] = {}): Promise<Visit> {
  const opened = await visit(browser, gateway, options)
  onTestFinished(() => opened.context.close())
  return opened
}

const PATIENT = { timeout: 60_000 }
const row = (page: Page, state: string) => page.locator(`[data-state="${state}"]`)
const choose = (page: Page, ...files: string[]) => page.locator('.drop input[type=file]').setInputFiles(files)

test('an upload that was cut off by a reload goes on with the parts that are missing, and plays from its start', async () => {
  const opened = await open()
  const { page, complaints } = opened
  await page.goto('/')
  await page.waitForURL('**/login')
  await page.getByLabel('User name').fill(demo.username)
  await page.getByLabel('Password', { exact: true }).fill(demo.password)
  await page.keyboard.press('Enter')
  await page.waitForURL('**/library')
  await page.getByRole('navigation').getByRole('link', { name: 'Upload' }).click()

  await slowDown(opened, 2 * MIB)
  const before = notePieces(page)
  await choose(page, clip)
  await expect.poll(() => before.acknowledged.length, { timeout: 60_000 }).toBeGreaterThanOrEqual(3)
  await page.reload()
  const acknowledged = [...before.acknowledged]
  expect(await row(page, 'asleep').textContent()).toContain('Choose the same file')

  const after = notePieces(page)
  await choose(page, clip)
  await page.getByRole('link', { name: 'Watch' }).click({ timeout: 120_000 })
  await page.waitForURL('**/watch/*')
  const all = Array.from({ length: Math.ceil((await stat(clip)).size / MIB) }, (_, index) => index + 1)
  expect(after.sent.filter((number) => acknowledged.includes(number))).toEqual([])
  expect(new Set([...acknowledged, ...after.sent])).toEqual(new Set(all))

  watchPath = new URL(page.url()).pathname
  expect(watchPath).toMatch(/^\/watch\/[A-Za-z0-9]{16}$/)
  await canPlay(page)
  const seen = (await page.evaluate(PLAY_TO_THE_END)) as { start: number; planned: number; end: number; width: number }
  expect(seen.start).toBeLessThan(0.2)
  // The length is known from the first picture on, also while the video is still being made.
  expect(seen.planned).toBeGreaterThan(23.5)
  expect(seen.end).toBeGreaterThan(23.5)
  expect(seen.width).toBeGreaterThan(0)

  await page.getByRole('link', { name: 'Library' }).click()
  await page.locator('[data-video][data-status=ready]').waitFor({ timeout: 60_000 })
  expect(await page.locator('[data-video] h2').textContent()).toBe('pages-24s')
  expect(complaints).toEqual([])
})

test('somebody who left off is asked in another browser whether to go on, at the right second', async () => {
  const first = (await open({ user: demo })).page
  await first.goto(watchPath)
  await canPlay(first)
  const beat = first.waitForResponse(
    (answer) => answer.url().endsWith('/v1/heartbeats') && isPauseAt(answer.request().postData()),
  )
  await first.evaluate(WATCH_UNTIL_12)
  expect((await beat).status()).toBe(200)

  const { page, complaints } = await open({ user: demo })
  await page.goto(watchPath)
  const offer = page.getByRole('group', { name: /^Continue at 0:1[23]\?$/ })
  await offer.getByRole('button', { name: 'Continue' }).click()
  await expect.poll(() => page.evaluate("document.querySelector('video').currentTime"), PATIENT).toBeGreaterThan(12.2)
  expect(await page.evaluate("document.querySelector('video').paused")).toBe(false)
  expect(await page.evaluate("document.querySelector('video').currentTime")).toBeLessThan(15)
  expect(await offer.count()).toBe(0)
  expect(complaints).toEqual([])
})

test('a viewer who is not signed in is remembered by the browser', async () => {
  const { page, complaints } = await open()
  await page.goto(watchPath)
  await canPlay(page)
  const beat = page.waitForResponse(
    (answer) => answer.url().endsWith('/v1/heartbeats') && isPauseAt(answer.request().postData()),
  )
  await page.evaluate(WATCH_UNTIL_12)
  expect((await beat).status()).toBe(200)
  await page.reload()
  await page.getByRole('group', { name: /^Continue at 0:1[23]\?$/ }).waitFor()
  expect(complaints).toEqual([])
})

test('without a mouse one can sign in, upload and watch', async () => {
  const { page } = await open()
  // The browser hands file choosers over only once it knows that somebody waits for them.
  page.on('filechooser', () => {})
  await page.goto('/upload')
  await page.waitForURL('**/login?next=/upload')
  await tabTo(page, 'User name')
  await page.keyboard.type(demo.username)
  await tabTo(page, 'Password')
  await page.keyboard.type(demo.password)
  await page.keyboard.press('Enter')
  await page.waitForURL(({ pathname }) => pathname === '/upload')

  // Whoever hears the page is told that it is another one now.
  await expect.poll(() => page.evaluate('document.activeElement.textContent')).toBe('Upload')
  await tabTo(page, 'Choose files')
  const [chooser] = await Promise.all([page.waitForEvent('filechooser'), page.keyboard.press('Enter')])
  await chooser.setFiles(await clipFile('long-gop'))
  await row(page, 'ready').waitFor({ timeout: 120_000 })
  await tabTo(page, 'Watch')
  await page.keyboard.press('Enter')
  await page.waitForURL('**/watch/*')
  await canPlay(page)

  const state = async (what: string) => await page.evaluate(`document.querySelector('video').${what}`)
  await page.keyboard.press('Space')
  await expect.poll(() => state('paused')).toBe(false)
  await page.keyboard.press('k')
  await expect.poll(() => state('paused')).toBe(true)
  await page.keyboard.press('5')
  await expect.poll(() => state('currentTime')).toBeCloseTo(5, 0)
  await page.keyboard.press('ArrowLeft')
  await expect.poll(() => state('currentTime')).toBeCloseTo(0, 0)
  await page.keyboard.press('m')
  await expect.poll(() => state('muted')).toBe(true)
  await page.keyboard.press('>')
  await expect.poll(() => state('playbackRate')).toBe(1.25)
  await tabTo(page, 'play')
  await page.keyboard.press('Space')
  await expect.poll(() => state('paused')).toBe(false)

  await page.reload()
  await page.waitForSelector('video')
  await expect.poll(() => state('playbackRate')).toBe(1.25)
  expect(await state('muted')).toBe(true)
})

test('an upload can be paused, continued and given up', async () => {
  const opened = await open({ user: demo })
  const { page } = opened
  await page.goto('/upload')
  await slowDown(opened, 2 * MIB)
  const pieces = notePieces(page)
  const begun = page.waitForResponse((answer) => new URL(answer.url()).pathname === '/v1/uploads')
  await choose(page, clip)
  const { uploadId } = ((await (await begun).json()) as { data: { uploadId: string } }).data
  await expect.poll(() => pieces.acknowledged.length, { timeout: 60_000 }).toBeGreaterThanOrEqual(1)
  expect(await row(page, 'sending').textContent()).toMatch(/MB of .*MB.*MB\/s.*left/)
  await page.getByRole('button', { name: /^Pause/ }).click()
  const sentAtPause = pieces.sent.length
  const paused = await row(page, 'paused').textContent()
  expect(paused).toMatch(/Paused at \d+%/)
  const acknowledged = [...pieces.acknowledged]

  await page.getByRole('button', { name: /^Go on with/ }).click()
  await expect.poll(() => pieces.sent.length, { timeout: 60_000 }).toBeGreaterThan(sentAtPause)
  expect(pieces.sent.slice(sentAtPause).filter((number) => acknowledged.includes(number))).toEqual([])

  await page.getByRole('button', { name: /^Cancel/ }).click()
  const cancelled = page.waitForResponse((answer) => answer.request().method() === 'DELETE')
  await page.getByRole('button', { name: 'Give up' }).click()
  expect((await cancelled).status()).toBe(204)
  expect(await page.locator('[data-state]').count()).toBe(0)
  expect(await stage.call('GET', `/v1/uploads/${uploadId}`)).toMatchObject({ body: { data: { state: 'cancelled' } } })
})

test('when the answer to the last request to OSS is lost, the upload ends well all the same', async () => {
  const { page } = await open({ user: demo })
  let joins = 0
  await page.route(/uploads\/[A-Za-z0-9]+\/source\?uploadId=/, async (route) => {
    if (route.request().method() !== 'POST') return route.continue()
    joins += 1
    if (joins > 1) return route.continue()
    await route.fetch()
    await route.abort('connectionreset')
  })
  await page.goto('/upload')
  await choose(page, await clipFile('silent'))
  await row(page, 'ready').waitFor({ timeout: 120_000 })
  expect(joins).toBeGreaterThan(1)
})

test('while nothing answers the upload waits, and goes on when the connection is back', async () => {
  const { page } = await open({ user: demo })
  let isDown = true
  await page.route(/partNumber=/, (route) => (isDown ? route.abort('internetdisconnected') : route.continue()))
  await page.goto('/upload')
  await choose(page, await clipFile('plain'))
  await page.getByText('No connection. It goes on by itself.').waitFor()
  isDown = false
  await page.evaluate("dispatchEvent(new Event('online'))")
  await row(page, 'ready').waitFor({ timeout: 120_000 })
})

test('a file that is no video fails with a sentence that says why, here and in the library', async () => {
  const { page } = await open({ user: demo })
  await page.goto('/upload')
  await choose(page, await clipFile('text'))
  await row(page, 'failed').waitFor({ timeout: 120_000 })
  expect(await row(page, 'failed').textContent()).toContain('not a video')
  await page.goto('/library')
  expect(await page.locator('[data-status=errored]').first().textContent()).toContain('not a video')
})

test('a video is renamed in its place, and one that was deleted comes back', async () => {
  const user = await newUser(gateway, 'keeper')
  const { page, complaints } = await open({ user })
  await page.goto('/library')
  await page.getByText('Nothing here yet').waitFor()
  await page.getByRole('link', { name: 'Upload' }).last().click()
  await choose(page, await clipFile('plain'))
  await row(page, 'ready').waitFor({ timeout: 120_000 })
  await page.getByRole('link', { name: 'Library' }).click()

  await page.getByRole('button', { name: 'Rename plain' }).click()
  await page.getByLabel('New title').fill('A plain <b>clip</b>')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'A plain <b>clip</b>' }).waitFor()
  await page.reload()
  await page.getByRole('heading', { name: 'A plain <b>clip</b>' }).waitFor()

  await page.getByLabel('Search titles').fill('nothing of the kind')
  await page.getByText('No title matches').waitFor()
  await page.getByLabel('Search titles').fill('CLIP plain')
  await page.getByRole('heading', { name: 'A plain <b>clip</b>' }).waitFor()

  const deleted = page.waitForResponse((answer) => answer.request().method() === 'DELETE')
  await page.getByRole('button', { name: /^Delete/ }).click()
  expect((await deleted).status()).toBe(204)
  await page.getByRole('button', { name: 'Undo' }).click()
  await page.getByRole('heading', { name: 'A plain <b>clip</b>' }).waitFor()
  await page.reload()
  await page.getByRole('heading', { name: 'A plain <b>clip</b>' }).waitFor()
  expect(complaints).toEqual([])
})

test('somebody who only watches loads no uploader, and the uploader loads no player', async () => {
  const scriptsOf = async (path: string, user?: User) => {
    const { page } = await open(user ? { user } : {})
    const bodies: Promise<string>[] = []
    page.on('response', (answer) => {
      if (answer.url().endsWith('.js')) bodies.push(answer.text())
    })
    await page.goto(path, { waitUntil: 'networkidle' })
    return (await Promise.all(bodies)).join('\n')
  }
  const watching = await scriptsOf(watchPath)
  const sending = await scriptsOf('/upload', demo)
  const player = /EXT-X-/
  const client = /aliyun|CompleteMultipartUpload/i
  const uploader = /v1\/uploads/
  expect([player, client, uploader].map((part) => part.test(watching))).toEqual([true, false, false])
  expect(/__file|process\.env/.test(sending)).toBe(false)
  // The client of OSS comes with the first file.
  expect([player, client, uploader].map((part) => part.test(sending))).toEqual([false, false, true])
})

test('what is not there, or not any more, is said in a sentence', async () => {
  const { page } = await open()
  await page.goto('/watch/AAAAAAAAAAAAAAAA')
  await page.getByRole('alert').getByText('There is no video at this address').waitFor()
  await page.context().setOffline(true)
  await page.getByRole('link', { name: 'Sign in' }).click()
  await page.getByText('The page could not be loaded').or(page.getByText('Welcome back')).waitFor()
})

test('the colours and the language can be changed, and stay so', async () => {
  const { page } = await open({ colorScheme: 'light' })
  await page.goto('/login')
  const background = () => page.evaluate('getComputedStyle(document.documentElement).backgroundColor')
  const light = await background()
  await page.getByRole('button', { name: 'Use dark colours' }).click()
  await expect.poll(background).not.toBe(light)
  const dark = await background()
  await page.getByRole('button', { name: '中文' }).click()
  await page.getByRole('heading', { name: '欢迎回来' }).waitFor()
  await page.reload()
  await page.getByRole('heading', { name: '欢迎回来' }).waitFor()
  expect(await background()).toBe(dark)
})

/** Runs in the page: at four times the speed. */
const PLAY_TO_THE_END = `(async () => {
  const video = document.querySelector('video')
  video.muted = true
  const start = video.currentTime
  const planned = video.duration
  video.playbackRate = 4
  await video.play()
  await new Promise((resolve) => video.addEventListener('ended', resolve, { once: true }))
  return { start, planned, end: video.currentTime, width: video.videoWidth }
})()`

/** Runs in the page: plays, jumps to the twelfth second, plays a little more and pauses. */
const WATCH_UNTIL_12 = `(async () => {
  const video = document.querySelector('video')
  video.muted = true
  await video.play()
  video.currentTime = 12
  await new Promise((resolve) => video.addEventListener('timeupdate', () => video.currentTime > 12.1 && resolve()))
  video.pause()
})()`

function isPauseAt(body: string | null): boolean {
  const beat = JSON.parse(body ?? '{}') as { event?: string; positionMs?: number }
  return beat.event === 'pause' && (beat.positionMs ?? 0) > 12_000
}
