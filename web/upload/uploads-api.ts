import type { UploadCompleted, UploadCreated, UploadCredentials, UploadStatus } from '../../shared/api.ts'
import { ask, type Told } from '../http.ts'
import { call } from '../session.ts'
import type { Job } from './jobs.ts'
import { type Granted, grantedBy } from './rights.ts'

const NAME_LENGTH = 255

/** Begins an upload for whoever is signed in; the same `attempt` finds the same upload. */
export function beginUpload(file: File, attempt: string, signal: AbortSignal): Promise<Told<UploadCreated>> {
  const fileName = [...file.name.replace(/\p{Cc}/gu, ' ')].slice(0, NAME_LENGTH).join('')
  const contentType = /^[\w.+-]{1,60}\/[\w.+-]{1,60}$/.test(file.type) ? file.type : 'application/octet-stream'
  const body = { fileName, sizeBytes: file.size, contentType }
  return call('POST', '/v1/uploads', { body, idempotencyKey: attempt, signal })
}

/** Fresh rights for an upload, by its own token. */
export async function renewRights(job: Job, now: () => number): Promise<Granted> {
  const { data, serverNow } = await about<UploadCredentials>(job, 'POST', '/credentials')
  return grantedBy(data, serverNow, now())
}

/** Says that the bytes are there. */
export async function completeUpload(job: Job): Promise<UploadCompleted> {
  return (await about<UploadCompleted>(job, 'POST', '/complete')).data
}

/** How an upload stands. */
export async function uploadStatus(job: Job): Promise<UploadStatus> {
  return (await about<UploadStatus>(job, 'GET', '')).data
}

/** Gives an upload up; the server removes what is stored. */
export async function cancelUpload(job: Job): Promise<void> {
  await about(job, 'DELETE', '')
}

function about<Data>({ uploadId, uploadToken }: Job, method: string, path: string): Promise<Told<Data>> {
  return ask<Data>(method, `/v1/uploads/${uploadId}${path}`, { authorization: `Upload ${uploadToken}` })
}
