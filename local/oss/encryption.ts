import { readXml, writeXml } from '../wire/xml.ts'
import { invalidArgument, OssError } from './errors.ts'
import type { BucketRecord, Encryption } from './records.ts'
import type { OssRequest } from './request.ts'

type Headers = readonly (readonly [name: string, value: string])[]

const PREFIX = 'x-oss-server-side-'

/**
 * Which encryption a request asks for. https://help.aliyun.com/zh/oss/user-guide/server-side-encryption-5
 */
export function readEncryption(request: OssRequest): Encryption | undefined {
  const algorithm = request.header(`${PREFIX}encryption`)
  const keyId = request.header(`${PREFIX}encryption-key-id`)
  const dataAlgorithm = request.header(`${PREFIX}data-encryption`)
  if (algorithm === undefined) {
    if (keyId === undefined && dataAlgorithm === undefined) return undefined
    throw invalidArgument(`${PREFIX}encryption`, '', 'The encryption algorithm is missing.')
  }
  return checkEncryption({ algorithm, ...(keyId && { keyId }), ...(dataAlgorithm && { dataAlgorithm }) })
}

/** Keys of KMS are named by a UUID, `key-…` or an alias; whether such a key exists is not known here. */
const KEY_ID = /^(?:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|key-[\w-]+|alias\/[\w/-]+|acs:kms:.+)$/i

/** Refuses to encrypt with something that cannot be a key. */
export function usableEncryption(encryption: Encryption | undefined): Encryption | undefined {
  const keyId = encryption?.keyId
  if (keyId === undefined || KEY_ID.test(keyId)) return encryption
  throw invalidArgument(`${PREFIX}encryption-key-id`, keyId.slice(0, 64), 'The specified KMS key is not found.')
}

/** Refuses what the service knows no encryption for. */
export function checkEncryption(encryption: Encryption): Encryption {
  const { algorithm, keyId, dataAlgorithm } = encryption
  if (!['AES256', 'KMS', 'SM4'].includes(algorithm)) throw new OssError('InvalidEncryptionAlgorithmError')
  if (dataAlgorithm !== undefined && !['AES256', 'SM4'].includes(dataAlgorithm)) {
    throw new OssError('InvalidEncryptionAlgorithmError')
  }
  if (algorithm !== 'KMS' && (keyId !== undefined || dataAlgorithm !== undefined)) {
    throw invalidArgument(`${PREFIX}encryption-key-id`, keyId ?? '', 'KMSMasterKeyID is not applicable if not KMS.')
  }
  return encryption
}

/** What the bucket encrypts with where a request does not say. */
export function defaultEncryption(bucket: BucketRecord | undefined): Encryption | undefined {
  const text = bucket?.settings?.encryption
  if (text === undefined) return undefined
  const rule = readXml(text, 'ServerSideEncryptionRule').all('ApplyServerSideEncryptionByDefault')[0]
  const keyId = rule?.value('KMSMasterKeyID')
  const dataAlgorithm = rule?.value('KMSDataEncryption')
  const algorithm = rule?.value('SSEAlgorithm') ?? 'AES256'
  return { algorithm, ...(keyId && { keyId }), ...(dataAlgorithm && { dataAlgorithm }) }
}

/** The setting that makes a bucket encrypt so. */
export function encryptionDocument({ algorithm, keyId, dataAlgorithm }: Encryption): string {
  const rule = { SSEAlgorithm: algorithm, KMSMasterKeyID: keyId, KMSDataEncryption: dataAlgorithm }
  return writeXml('ServerSideEncryptionRule', { ApplyServerSideEncryptionByDefault: rule })
}

/** How an answer tells it. */
export function encryptionHeaders(encryption: Encryption | undefined): Headers {
  if (encryption === undefined) return []
  const { algorithm, keyId, dataAlgorithm } = encryption
  return [
    [`${PREFIX}encryption`, algorithm],
    ...(dataAlgorithm === undefined ? [] : [[`${PREFIX}data-encryption`, dataAlgorithm] as const]),
    ...(keyId === undefined ? [] : [[`${PREFIX}encryption-key-id`, keyId] as const]),
  ]
}
