import { computed, ref } from 'vue'
import type { SessionCreated } from '../shared/api.ts'
import { ApiError, type Ask, ask, type Told } from './http.ts'
import { recall, remember } from './memory.ts'

interface Session {
  readonly token: string
  readonly username: string
  readonly expiresAt: number
}

const session = ref<Session | undefined>(sessionIn(recall('session')))

/** Who is signed in here. */
export const username = computed(() => session.value?.username)

/** For requests of a player, which work without as well. */
export function authorization(): string | undefined {
  return session.value && `Bearer ${session.value.token}`
}

// Another tab may sign in or out.
addEventListener('storage', ({ key }) => {
  if (key === null || key === 'yunbo.session') session.value = sessionIn(recall('session'))
})

/** Signs in; throws `ApiError`. */
export async function signIn(name: string, password: string): Promise<void> {
  const { data } = await ask<SessionCreated>('POST', '/v1/sessions', { body: { username: name, password } })
  keep({ token: data.token, username: name, expiresAt: Date.parse(data.expiresAt) })
}

/** Makes an account and signs in; `attempt` is the same for every try of one form. */
export async function signUp(name: string, password: string, attempt: string): Promise<void> {
  await ask('POST', '/v1/accounts', { body: { username: name, password }, idempotencyKey: attempt })
  await signIn(name, password)
}

/** Forgets the session in this browser. */
export function signOut(): void {
  keep(undefined)
}

/** A request of whoever is signed in; a session that is over ends here too. */
export async function call<Data>(method: string, path: string, options: Ask = {}): Promise<Told<Data>> {
  const bearer = authorization()
  if (bearer === undefined) throw new ApiError('unauthenticated', 401, 'Sign in first')
  try {
    return await ask<Data>(method, path, { ...options, authorization: bearer })
  } catch (error) {
    if (error instanceof ApiError && error.status === 401 && authorization() === bearer) signOut()
    throw error
  }
}

function keep(next: Session | undefined): void {
  session.value = next
  remember('session', next && JSON.stringify(next))
}

function sessionIn(text: string | null): Session | undefined {
  try {
    const found = JSON.parse(text ?? 'null') as Partial<Session> | null
    const { token, username: name, expiresAt } = found ?? {}
    if (typeof token !== 'string' || typeof name !== 'string' || typeof expiresAt !== 'number') return undefined
    return expiresAt > Date.now() ? { token, username: name, expiresAt } : undefined
  } catch {
    return undefined
  }
}
