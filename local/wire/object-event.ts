/** Something happened to an object: what OSS tells, and what an OSS trigger of Function Compute starts from. */
export interface ObjectEvent {
  /** `ObjectCreated:PutObject` and the like, without the `oss:` prefix. */
  readonly eventName: string
  readonly bucket: string
  readonly key: string
  readonly size: number
  /** Upper-case hexadecimal, without quotes. */
  readonly eTag: string
  readonly contentType: string
  /** By the full names, `x-oss-meta-…`. */
  readonly userMeta: Readonly<Record<string, string>>
  readonly requestId: string
  readonly sourceIp: string
  readonly principalId: string
  /** Milliseconds since the epoch. */
  readonly at: number
}
