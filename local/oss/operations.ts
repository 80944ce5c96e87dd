import {
  deleteBucket,
  deleteBucketCors,
  getBucketAcl,
  getBucketCors,
  getBucketInfo,
  getBucketLocation,
  headBucket,
  listBuckets,
  putBucket,
  putBucketAcl,
  putBucketCors,
} from './bucket-operations.ts'
import type { Operation } from './context.ts'
import { copyObject, uploadPartCopy } from './copy-operations.ts'
import type { OperationName } from './detect.ts'
import { listMultipartUploads, listObjects, listObjectsV2 } from './list-operations.ts'
import {
  abortMultipartUpload,
  completeMultipartUpload,
  initiateMultipartUpload,
  listParts,
  uploadPart,
} from './multipart-operations.ts'
import {
  deleteMultipleObjects,
  deleteObject,
  getObject,
  getObjectAcl,
  getObjectMeta,
  getSymlink,
  headObject,
  putObject,
  putObjectAcl,
  putSymlink,
} from './object-operations.ts'

/** Every operation by its name. */
export const OPERATIONS: Readonly<Record<OperationName, Operation>> = {
  ListBuckets: listBuckets,
  PutBucket: putBucket,
  DeleteBucket: deleteBucket,
  HeadBucket: headBucket,
  GetBucketInfo: getBucketInfo,
  GetBucketLocation: getBucketLocation,
  PutBucketAcl: putBucketAcl,
  GetBucketAcl: getBucketAcl,
  PutBucketCors: putBucketCors,
  GetBucketCors: getBucketCors,
  DeleteBucketCors: deleteBucketCors,
  ListObjects: listObjects,
  ListObjectsV2: listObjectsV2,
  DeleteMultipleObjects: deleteMultipleObjects,
  PutObject: putObject,
  CopyObject: copyObject,
  GetObject: getObject,
  HeadObject: headObject,
  GetObjectMeta: getObjectMeta,
  DeleteObject: deleteObject,
  PutObjectAcl: putObjectAcl,
  GetObjectAcl: getObjectAcl,
  PutSymlink: putSymlink,
  GetSymlink: getSymlink,
  InitiateMultipartUpload: initiateMultipartUpload,
  UploadPart: uploadPart,
  UploadPartCopy: uploadPartCopy,
  CompleteMultipartUpload: completeMultipartUpload,
  AbortMultipartUpload: abortMultipartUpload,
  ListParts: listParts,
  ListMultipartUploads: listMultipartUploads,
}
