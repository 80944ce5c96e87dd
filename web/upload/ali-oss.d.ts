declare module 'ali-oss/dist/aliyun-oss-sdk.min.js' {
  interface ListedPart {
    readonly PartNumber: string
    readonly ETag: string
    readonly Size: string
  }

  /** What we use of the vendor's build for browsers, which has no types of its own. */
  export default class OSS {
    constructor(options: Readonly<Record<string, unknown>>)
    initMultipartUpload(key: string, options: { mime: string }): Promise<{ uploadId: string }>
    listParts(
      key: string,
      uploadId: string,
      query: Readonly<Record<string, string | number>>,
    ): Promise<{
      readonly parts: ListedPart | readonly ListedPart[]
      readonly isTruncated: string | boolean
      readonly nextPartNumberMarker: string
    }>
    completeMultipartUpload(
      key: string,
      uploadId: string,
      parts: readonly { readonly number: number; readonly etag: string }[],
    ): Promise<unknown>
    signatureUrlV4(
      method: string,
      expires: number,
      request: { queries: Readonly<Record<string, string | number>> },
      key: string,
    ): Promise<string>
  }
}
