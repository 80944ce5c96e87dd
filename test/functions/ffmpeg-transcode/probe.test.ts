import { expect, test } from 'vitest'
import { type MediaTools, ToolError } from '../../../functions/ffmpeg-transcode/ffmpeg.ts'
import { probeSource } from '../../../functions/ffmpeg-transcode/probe.ts'

const source = {
  url: 'http://localhost/source.mp4',
  etag: 'E',
  head: async () => ({ etag: 'E', sizeBytes: 1 }),
}

test.each([
  ['that gave up on the file', false, 'not_a_video', false],
  ['that somebody killed', true, 'transcode_failed', true],
])('an ffprobe %s: the verdict is on the file only if it is its own', async (_what, killed, code, retryable) => {
  const tools = {
    probe: () => Promise.reject(new ToolError('ffprobe ended', '', { killed })),
  } as unknown as MediaTools
  await expect(probeSource(source, tools, new AbortController().signal, { threads: 1 })).rejects.toMatchObject({
    failure: { code, retryable },
  })
})
