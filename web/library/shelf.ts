import { onBeforeUnmount, reactive, ref } from 'vue'
import type { VideoView } from '../../shared/api.ts'
import { reasonOf, t } from '../language.ts'
import { poll } from '../poll.ts'
import { call } from '../session.ts'
import { toast } from '../toasts.ts'
import { lookAgainMs } from './pace.ts'

const PAGE = 24
/** Videos that are asked about in one round. */
const MOST_A_ROUND = 6

/** The videos of whoever is signed in, as far as they are loaded, kept up to date while the page is seen. */
export function useShelf() {
  const videos = reactive<VideoView[]>([])
  const cursor = ref<string | null>(null)
  const state = ref<'loading' | 'loaded' | 'failed'>('loading')
  const error = ref<unknown>()
  const isLoadingMore = ref(false)
  const gone = new Set<string>()
  let quietRounds = 0
  let stopPoll = () => {}

  async function load(): Promise<void> {
    state.value = 'loading'
    try {
      const page = await fetchPage(null)
      videos.splice(0, videos.length, ...page.data)
      cursor.value = page.nextCursor
      state.value = 'loaded'
      await fillUp()
      watchProcessing()
    } catch (failure) {
      error.value = failure
      state.value = 'failed'
    }
  }

  /** A page may be empty and still have a cursor; nobody should have to press a button for that. */
  async function fillUp(): Promise<void> {
    while (videos.length === 0 && cursor.value !== null) await more()
  }

  async function more(): Promise<void> {
    if (isLoadingMore.value || cursor.value === null) return
    isLoadingMore.value = true
    try {
      const page = await fetchPage(cursor.value)
      const known = new Set(videos.map(({ videoId }) => videoId))
      videos.push(...page.data.filter(({ videoId }) => !known.has(videoId) && !gone.has(videoId)))
      cursor.value = page.nextCursor
      watchProcessing()
    } catch (failure) {
      toast(reasonOf(failure), { tone: 'bad' })
      throw failure
    } finally {
      isLoadingMore.value = false
    }
  }

  function watchProcessing(): void {
    stopPoll()
    quietRounds = 0
    stopPoll = poll(async () => {
      const busy = videos.filter(({ status }) => status === 'processing').slice(0, MOST_A_ROUND)
      if (busy.length === 0) return undefined
      const changed = await Promise.all(busy.map(look))
      quietRounds = changed.some(Boolean) ? 0 : quietRounds + 1
      return lookAgainMs(quietRounds)
    })
  }

  /** Answers whether there was news. */
  async function look(known: VideoView): Promise<boolean> {
    try {
      const { data } = await call<VideoView>('GET', `/v1/videos/${known.videoId}`)
      return put(data) && (data.progress !== known.progress || data.status !== known.status)
    } catch (failure) {
      if ((failure as { status?: number }).status === 404) take(known.videoId)
      return false
    }
  }

  function put(video: VideoView): boolean {
    const index = videos.findIndex(({ videoId }) => videoId === video.videoId)
    if (index >= 0) videos[index] = video
    return index >= 0
  }

  function take(videoId: string): number {
    const index = videos.findIndex((one) => one.videoId === videoId)
    if (index >= 0) videos.splice(index, 1)
    return index
  }

  async function rename(video: VideoView, title: string): Promise<boolean> {
    const before = video.title
    put({ ...video, title })
    try {
      await call('PATCH', `/v1/videos/${video.videoId}`, { body: { title } })
      return true
    } catch (failure) {
      const now = videos.find(({ videoId }) => videoId === video.videoId)
      if (now) put({ ...now, title: before })
      toast(t('video.notRenamed', { reason: reasonOf(failure) }), { tone: 'bad' })
      return false
    }
  }

  /** Deletes at once; what the page offers for a while is to bring it back. */
  async function remove(video: VideoView): Promise<void> {
    const { videoId, title } = video
    const index = take(videoId)
    gone.add(videoId)
    try {
      await call('DELETE', `/v1/videos/${videoId}`)
      toast(t('video.deleted', { title }), {
        action: { label: t('video.undo'), run: () => void restore(video, index) },
      })
    } catch (failure) {
      bringBack(video, index)
      toast(t('video.notDeleted', { title, reason: reasonOf(failure) }), { tone: 'bad' })
    }
  }

  async function restore(video: VideoView, index: number): Promise<void> {
    const { videoId, title } = video
    try {
      await call('POST', `/v1/videos/${videoId}/restore`)
      bringBack((await call<VideoView>('GET', `/v1/videos/${videoId}`)).data, index)
      toast(t('video.restored', { title }))
      watchProcessing()
    } catch (failure) {
      toast(t('video.notRestored', { title, reason: reasonOf(failure) }), { tone: 'bad' })
    }
  }

  function bringBack(video: VideoView, index: number): void {
    gone.delete(video.videoId)
    take(video.videoId)
    videos.splice(Math.max(0, index), 0, video)
  }

  onBeforeUnmount(() => stopPoll())
  void load()
  return { videos, cursor, state, error, isLoadingMore, load, more: () => more().catch(() => {}), rename, remove }
}

function fetchPage(cursor: string | null) {
  const query = new URLSearchParams({ limit: String(PAGE), ...(cursor === null ? {} : { cursor }) })
  return call<readonly VideoView[]>('GET', `/v1/videos?${query}`)
}
