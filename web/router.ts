import { nextTick } from 'vue'
import { createRouter, createWebHistory } from 'vue-router'
import { t } from './language.ts'
import { username } from './session.ts'
import { toast } from './toasts.ts'

/** The pages; each is loaded when it is first opened. */
export const router = createRouter({
  history: createWebHistory(),
  routes: [
    { path: '/', redirect: () => (username.value === undefined ? '/login' : '/library') },
    { path: '/login', component: () => import('./pages/sign-page.vue') },
    { path: '/upload', component: () => import('./pages/upload-page.vue'), meta: { private: true } },
    { path: '/library', component: () => import('./pages/library-page.vue'), meta: { private: true } },
    { path: '/watch/:playbackId([A-Za-z0-9]+)', component: () => import('./pages/watch-page.vue'), props: true },
    { path: '/:rest(.*)*', component: () => import('./pages/lost-page.vue') },
  ],
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
})

router.beforeEach(({ fullPath, meta }) =>
  meta.private && username.value === undefined ? { path: '/login', query: { next: fullPath } } : true,
)

// A page of an older build may be gone from the server; what is left is to load everything anew, or to say so.
router.onError((_error, to) => {
  if (navigator.onLine && history.state?.reloaded !== true) {
    history.replaceState({ ...history.state, reloaded: true }, '')
    location.assign(to.fullPath)
  } else toast(t('error.page'), { tone: 'bad' })
})

// Whoever hears the pages instead of seeing them is told where they are now.
router.afterEach(async (to, from) => {
  if (from.matched.length === 0 || to.path === from.path) return
  await nextTick()
  document.querySelector<HTMLElement>('main h1')?.focus({ preventScroll: true })
})
