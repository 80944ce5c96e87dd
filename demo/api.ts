import { DemoError } from './options.ts'

/** The part of `POST /v1/uploads` and `POST /v1/uploads/{id}/credentials` that an uploader needs. */
export interface Upload {
  readonly uploadId: string
  readonly videoId: string
  readonly playbackId: string
  readonly bucket: string
  readonly region: string
  readonly endpoint: string
  readonly addressing: 'path' | 'virtual'
  readonly key: string
  readonly credentials: {
    readonly accessKeyId: string
    readonly accessKeySecret: string
    readonly securityToken: string
    readonly expiration: string
  }
}

export interface Video {
  readonly status: 'processing' | 'ready' | 'errored'
  readonly playable: boolean
  /** Per cent. */
  readonly progress: number
  readonly durationMs: number
  readonly engine: { readonly name: string; readonly reason: string } | null
  readonly renditions: readonly { readonly name: string }[]
  readonly error: { readonly code: string; readonly message: string } | null
}

/** The HTTP API as the demo uses it. */
export interface Api {
  createUpload(file: { fileName: string; sizeBytes: number; contentType: string }): Promise<Upload>
  freshCredentials(uploadId: string): Promise<Upload>
  complete(uploadId: string): Promise<unknown>
  video(videoId: string): Promise<Video>
  playlistUrl(playbackId: string): Promise<string>
}

/** Signs in and answers the API with that session. */
export async function signIn(gateway: string, user: { username: string; password: string }): Promise<Api> {
  const { token } = await call<{ token: string }>(gateway, 'POST', '/v1/sessions', { body: user })
  const ask = <Data>(method: string, path: string, body?: object) =>
    call<Data>(gateway, method, path, { token, ...(body === undefined ? {} : { body }) })
  return {
    createUpload: (file) => ask('POST', '/v1/uploads', file),
    freshCredentials: (uploadId) => ask('POST', `/v1/uploads/${uploadId}/credentials`),
    complete: (uploadId) => ask('POST', `/v1/uploads/${uploadId}/complete`),
    video: (videoId) => ask('GET', `/v1/videos/${videoId}`),
    async playlistUrl(playbackId) {
      const { hlsUrl } = await ask<{ hlsUrl: string }>('GET', `/play/${playbackId}`)
      return new URL(hlsUrl, gateway).href
    },
  }
}

async function call<Data>(
  gateway: string,
  method: string,
  path: string,
  { token, body }: { token?: string; body?: object },
): Promise<Data> {
  const headers = {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  }
  const response = await fetch(new URL(path, gateway), {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  }).catch((error) => {
    throw new DemoError(`The local cloud at ${gateway} does not answer. Is \`npm start\` still running?`, {
      cause: error,
    })
  })
  const answer = (await response.json().catch(() => ({}))) as { data?: Data; title?: string; detail?: string }
  if (response.ok && answer.data !== undefined) return answer.data
  const reason = answer.detail ?? answer.title ?? `status ${response.status}`
  throw new DemoError(`${method} ${path} was refused: ${reason}`)
}
