import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import axe from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { canPlay, largeClip, newUser, openBrowser, type User, visit } from './browser.ts'
import { clipFile, openStage, type Stage } from './cloud.ts'

/** Pictures of every page, for people to look at. */
const SHOTS = fileURLToPath(new URL('../../test-results/pages', import.meta.url))

let stage: Stage
let browser: Browser
let gateway: string
let demo: User
let nobody: User
let clip: string
let watchPath: string

beforeAll(async () => {
  ;[stage, browser, clip] = await Promise.all([openStage(), openBrowser(), largeClip()])
  await mkdir(SHOTS, { recursive: true })
  gateway = stage.local.cloud.gateway
  demo = stage.local.cloud.user
  nobody = await newUser(gateway, 'newcomer')
  const { ticket } = await stage.upload(clip)
  watchPath = `/watch/${ticket.playbackId}`
  for (const name of ['text', 'portrait', 'plain']) await stage.upload(await clipFile(name))
})
afterAll(async () => {
  await browser?.close()
  await stage?.close()
})

interface Sight {
  readonly name: string
  readonly path: () => string
  readonly user?: () => User
  /** Where the page is as it should be seen. */
  readonly ready: string
  /** What the server is made to say. */
  readonly prepare?: (page: Page) => Promise<void>
  /** What is done before it is looked at. */
  readonly act?: (page: Page) => Promise<void>
}

const SIGHTS: readonly Sight[] = [
  { name: 'login', path: () => '/login', ready: 'h1' },
  { name: 'login-refused', path: () => '/login', ready: 'h1', act: refuseToSignIn },
  { name: 'sign-up', path: () => '/login?create', ready: 'h1' },
  { name: 'upload', path: () => '/upload', user: () => demo, ready: '.drop', act: showUploads },
  { name: 'library', path: () => '/library', user: () => demo, ready: '[data-video]' },
  {
    name: 'library-states',
    path: () => '/library',
    user: () => demo,
    ready: '[data-status=processing]',
    prepare: halfDone,
  },
  { name: 'library-rename', path: () => '/library', user: () => demo, ready: '[data-video]', act: beginRename },
  { name: 'library-empty', path: () => '/library', user: () => nobody, ready: '.empty' },
  { name: 'library-failed', path: () => '/library', user: () => nobody, ready: '[role=alert]', prepare: busyLibrary },
  { name: 'watch', path: () => watchPath, ready: 'media-control-bar', act: canPlay },
  {
    name: 'watch-resume',
    path: () => watchPath,
    ready: '.offer',
    prepare: playInfoWith({ resumeMs: 12_000 }),
    act: canPlay,
  },
  {
    name: 'watch-preparing',
    path: () => watchPath,
    ready: '[role=progressbar]',
    prepare: playInfoWith({ status: 'processing', playable: false, progress: 34 }),
  },
  {
    name: 'watch-growing',
    path: () => watchPath,
    ready: 'text=62',
    prepare: playInfoWith({ status: 'processing', progress: 62 }),
    act: canPlay,
  },
  {
    name: 'watch-failed',
    path: () => watchPath,
    ready: '[role=alert]',
    prepare: playInfoWith({ status: 'errored', playable: false }),
  },
  { name: 'watch-missing', path: () => '/watch/AAAAAAAAAAAAAAAA', ready: '[role=alert]' },
  { name: 'watch-offline', path: () => watchPath, ready: '[role=alert]', prepare: noPlayInfo },
]

const DESK = { size: 'desk', viewport: { width: 1280, height: 800 } }
const PHONE = { size: 'phone', viewport: { width: 390, height: 844 } }

/** Each size with both colours and both languages, and each colour with both languages. */
const LOOKS = [
  { ...DESK, colorScheme: 'light', locale: 'en-US' },
  { ...DESK, colorScheme: 'dark', locale: 'zh-CN' },
  { ...PHONE, colorScheme: 'light', locale: 'zh-CN' },
  { ...PHONE, colorScheme: 'dark', locale: 'en-US' },
] as const

test.each(LOOKS)(
  'every page looks right and has no serious fault of access: $size, $colorScheme, $locale',
  async (look) => {
    const { size, viewport, colorScheme, locale } = look
    for (const { name, path, user, ready, prepare, act } of SIGHTS) {
      const options = { viewport, colorScheme, locale, hasTouch: size === 'phone', isMobile: size === 'phone' }
      const { page, context } = await visit(browser, gateway, { ...options, ...(user ? { user: user() } : {}) })
      onTestFinished(() => context.close())
      await prepare?.(page)
      await page.goto(path())
      await page.locator(ready).first().waitFor()
      await act?.(page)
      await page.screenshot({ path: join(SHOTS, `${name}-${size}-${colorScheme}-${locale}.png`) })
      const seen = {
        faults: await faultsOf(page),
        wider: await page.evaluate(OVERFLOW),
        lang: await page.evaluate('document.documentElement.lang'),
      }
      expect({ name, ...seen }).toEqual({ name, faults: [], wider: 0, lang: locale === 'zh-CN' ? 'zh-CN' : 'en' })
      await context.close()
    }
  },
)

function playInfoWith(change: object): (page: Page) => Promise<void> {
  return async (page) => {
    await page.route(/\/play\/[A-Za-z0-9]{16}(\?.*)?$/, async (route) => {
      const response = await route.fetch()
      const { data, ...rest } = (await response.json()) as { data: object }
      await route.fulfill({ response, json: { ...rest, data: { ...data, ...change } } })
    })
  }
}

async function noPlayInfo(page: Page): Promise<void> {
  await page.route(/\/play\//, (route) => route.abort('internetdisconnected'))
}

async function busyLibrary(page: Page): Promise<void> {
  const json = { code: 'upstream_busy', detail: 'A service we depend on is busy' }
  await page.route('**/v1/videos?*', (route) => route.fulfill({ status: 503, json }))
}

/** One of the videos is still being made. */
async function halfDone(page: Page): Promise<void> {
  const first = { status: 'processing', playable: false, progress: 42, durationMs: 0, error: null }
  await page.route(/\/v1\/videos/, async (route) => {
    const response = await route.fetch()
    const { data, ...rest } = (await response.json()) as { data: object[] | object }
    const shown = Array.isArray(data)
      ? data.map((one, index) => (index < 1 ? { ...one, ...first } : one))
      : { ...data, ...first }
    await route.fulfill({ response, json: { ...rest, data: shown } })
  })
}

async function refuseToSignIn(page: Page): Promise<void> {
  await page.locator('#username').fill('demo')
  await page.locator('#password').fill('wrong')
  await page.keyboard.press('Enter')
  await page.locator('[role=alert]').waitFor()
}

async function beginRename(page: Page): Promise<void> {
  await page.locator('[data-video] .tools button').first().click()
  await page.locator('[data-video] form').waitFor()
}

/** Rows in several states, the first of which is held back on its way. */
async function showUploads(page: Page): Promise<void> {
  await page.route(/partNumber=/, (route) =>
    /\bpartNumber=1\b/.test(route.request().url()) ? route.continue() : undefined,
  )
  await page.locator('.drop input[type=file]').setInputFiles(clip)
  await page.locator('[data-state="sending"]').waitFor()
  const busy = page.locator('[data-state="sending"]').first()
  await expect.poll(() => busy.textContent(), { timeout: 30_000 }).toMatch(/MB/)
  const [empty, bad] = await Promise.all([clipFile('empty'), clipFile('text')])
  await page.locator('.drop input[type=file]').setInputFiles([empty, bad])
  await page.locator('[data-state="failed"]').first().waitFor({ timeout: 60_000 })
}

/** Serious and critical violations, as axe names them. */
async function faultsOf(page: Page): Promise<string[]> {
  await page.evaluate(axe.source)
  return (await page.evaluate(`axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
    violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .flatMap(({ id, nodes }) => nodes.map((node) => id + ': ' + node.html.slice(0, 160) + ' ' + node.failureSummary)))`)) as string[]
}

const OVERFLOW = 'Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth)'
