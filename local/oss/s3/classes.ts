import { invalidArgument } from '../errors.ts'

/**
 * Storage classes by both names. Those of S3 that are left out are not among the documented ones; of the colder classes
 * of the service, what an S3 client is told is unproven.
 * https://help.aliyun.com/zh/oss/developer-reference/compatibility-with-amazon-s3
 */
const CLASSES = [
  ['Standard', 'STANDARD'],
  ['IA', 'STANDARD_IA'],
  ['Archive', 'GLACIER'],
] as const

/** The service's name of a class of S3. */
export function ossStorageClass(name: string): string {
  const found = CLASSES.find(([, amazon]) => amazon === name)
  if (found !== undefined) return found[0]
  throw invalidArgument('x-amz-storage-class', name.slice(0, 64), 'The storage class you specified is invalid.')
}

/** The name by which S3 has a class of the service. */
export function amazonStorageClass(name: string): string {
  const found = CLASSES.find(([own]) => own === name)
  return found?.[1] ?? name.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase()
}
