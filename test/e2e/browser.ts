import { execFile } from 'node:child_process'
import { mkdir, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { expect } from 'vitest'
import { CLIP_DIR } from '../media/clips.ts'

/** A real browser without a window. */
export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--autoplay-policy=no-user-gesture-required',
    ],
  })
}

export interface User {
  readonly username: string
  readonly password: string
}

/** A visitor with a browser of their own. */
export interface Visit {
  readonly context: BrowserContext
  readonly page: Page
  /** What the console and the scripts complained about. */
  readonly complaints: string[]
}

/** Opens a window, signed in when a user is given. */
export async function visit(
  browser: Browser,
  gateway: string,
  { user, ...options }: BrowserContextOptions & { user?: User } = {},
): Promise<Visit> {
  const context = await browser.newContext({ baseURL: gateway, locale: 'en-US', reducedMotion: 'reduce', ...options })
  if (user) {
    const session = JSON.stringify(JSON.stringify(await sessionOf(gateway, user)))
    await context.addInitScript(`localStorage.setItem('yunbo.session', ${session})`)
  }
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
  // The question whether to leave while an upload runs.
  page.on('dialog', (dialog) => dialog.accept())
  return { context, page, complaints }
}

async function sessionOf(gateway: string, user: User): Promise<object> {
  const response = await fetch(`${gateway}/v1/sessions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(user),
  })
  const { data } = (await response.json()) as { data: { token: string; expiresAt: string } }
  return { token: data.token, username: user.username, expiresAt: Date.parse(data.expiresAt) }
}

/** Makes an account of its own. */
export async function newUser(gateway: string, username: string): Promise<User> {
  const user = { username, password: 'a good password' }
  await fetch(`${gateway}/v1/accounts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(user),
  })
  return user
}

/** Waits until the video on a page can begin; asked from outside, as the policy of the pages forbids to evaluate texts. */
export async function canPlay(page: Page): Promise<void> {
  await expect.poll(() => page.evaluate("document.querySelector('video')?.readyState"), { timeout: 60_000 }).toBe(4)
}

/** Pieces of a file as they are sent, by their number. */
export interface Pieces {
  readonly sent: number[]
  readonly acknowledged: number[]
}

/** Notes every piece that a page sends to OSS. */
export function notePieces(page: Page): Pieces {
  const pieces: Pieces = { sent: [], acknowledged: [] }
  const numberOf = (method: string, url: string) =>
    method === 'PUT' ? Number(new URL(url).searchParams.get('partNumber') ?? 0) : 0
  page.on('request', (request) => {
    const number = numberOf(request.method(), request.url())
    if (number > 0) pieces.sent.push(number)
  })
  page.on('response', (response) => {
    const number = numberOf(response.request().method(), response.url())
    if (number > 0 && response.status() === 200) pieces.acknowledged.push(number)
  })
  return pieces
}

/** Makes the way out as slow as that of a household. */
export async function slowDown({ context, page }: Visit, bytesPerSecond: number): Promise<void> {
  const devtools = await context.newCDPSession(page)
  const conditions = { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: bytesPerSecond }
  await devtools.send('Network.emulateNetworkConditions', conditions)
}

/** Presses a key until something of this name has the focus, as somebody without a mouse does. */
export async function tabTo(page: Page, name: string | RegExp, key = 'Tab'): Promise<void> {
  const seen: string[] = []
  for (let presses = 0; presses < 60; presses += 1) {
    const found = (await page.evaluate(FOCUSED)) as string
    if (typeof name === 'string' ? found === name : name.test(found)) return
    seen.push(found)
    await page.keyboard.press(key)
  }
  throw new Error(`nothing called ${name} gets the focus, only: ${seen.join(' | ')}`)
}

/** What is read out for the element with the focus, near enough. */
const FOCUSED = `(() => {
  const one = document.activeElement
  if (!one || one === document.body) return ''
  const label = one.labels?.[0]?.textContent
  return (one.getAttribute('aria-label') ?? label ?? one.textContent ?? '').trim().replace(/\\s+/g, ' ')
})()`

/** 24 seconds that no encoder can make small: some ten pieces to upload, and a moment to prepare. */
export async function largeClip(): Promise<string> {
  const path = join(CLIP_DIR, 'pages-24s.mp4')
  if (await stat(path).catch(() => undefined)) return path
  await mkdir(CLIP_DIR, { recursive: true })
  const draft = join(CLIP_DIR, `pages-${process.pid}.mp4`)
  const picture = 'testsrc2=s=640x360:r=30:d=24,noise=alls=30:allf=t'
  await promisify(execFile)('ffmpeg', [
    ...['-nostdin', '-v', 'error', '-y', '-f', 'lavfi', '-i', picture, '-f', 'lavfi', '-i', 'sine=440:d=24'],
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-b:v', '3500k', '-pix_fmt', 'yuv420p', '-c:a', 'aac', draft],
  ])
  await rename(draft, path)
  return path
}
