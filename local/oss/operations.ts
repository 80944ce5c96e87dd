import { getObjectAcl, putObjectAcl } from './acl-operations.ts'
import { appendObject } from './append-operations.ts'
import { deleteBucketCors, getBucketCors, putBucketCors } from './bucket-cors.ts'
import { deleteCname, listCname, putCname } from './bucket-domains.ts'
import {
  deleteBucket,
  describeRegions,
  getBucketAcl,
  getBucketInfo,
  getBucketLocation,
  getBucketStat,
  headBucket,
  listBuckets,
  putBucket,
  putBucketAcl,
} from './bucket-operations.ts'
import { deleteBucketPolicy, getBucketPolicy, getBucketPolicyStatus, putBucketPolicy } from './bucket-policy.ts'
import { SETTING_OPERATIONS } from './bucket-settings.ts'
import { withCallback } from './callback/callback.ts'
import type { Operation } from './context.ts'
import { copyObject, uploadPartCopy } from './copy-operations.ts'
import { deleteMultipleObjects, deleteObject } from './delete-operations.ts'
import type { OperationName } from './detect.ts'
import { getAsyncFetchTask, postAsyncFetchTask } from './fetch-operations.ts'
import { getUserQosInfo } from './flow-control.ts'
import { listMultipartUploads, listObjects, listObjectsV2 } from './list-operations.ts'
import { LIVE_OPERATIONS } from './live-operations.ts'
import {
  abortMultipartUpload,
  completeMultipartUpload,
  initiateMultipartUpload,
  listParts,
  uploadPart,
} from './multipart-operations.ts'
import {
  deleteBucketInventory,
  deleteStyle,
  getBucketInventory,
  getStyle,
  listBucketInventory,
  listStyle,
  putBucketInventory,
  putStyle,
} from './named-settings.ts'
import { getObject, getObjectMeta, headObject, putObject } from './object-operations.ts'
import { postObject } from './post/post-object.ts'
import { processObject, withProcessing } from './process/process.ts'
import { cleanRestoredObject, restoreObject } from './restore-operations.ts'
import { getSymlink, putSymlink } from './symlink-operations.ts'
import { deleteObjectTagging, getObjectTagging, putObjectTagging } from './tagging-operations.ts'
import { getBucketVersioning, listObjectVersions, putBucketVersioning } from './version-operations.ts'
import { servingRoot, servingWebsite } from './website.ts'
import {
  abortBucketWorm,
  completeBucketWorm,
  extendBucketWorm,
  getBucketWorm,
  initiateBucketWorm,
} from './worm-operations.ts'

/** Every operation by its name. */
export const OPERATIONS: Readonly<Record<OperationName, Operation>> = {
  ...SETTING_OPERATIONS,
  ListBuckets: listBuckets,
  DescribeRegions: describeRegions,
  GetUserQosInfo: getUserQosInfo,
  PostAsyncFetchTask: postAsyncFetchTask,
  GetAsyncFetchTask: getAsyncFetchTask,
  ...LIVE_OPERATIONS,
  PutCname: putCname,
  DeleteCname: deleteCname,
  ListCname: listCname,
  GetBucketStat: getBucketStat,
  PutBucketVersioning: putBucketVersioning,
  GetBucketVersioning: getBucketVersioning,
  ListObjectVersions: listObjectVersions,
  PutBucketPolicy: putBucketPolicy,
  GetBucketPolicy: getBucketPolicy,
  GetBucketPolicyStatus: getBucketPolicyStatus,
  DeleteBucketPolicy: deleteBucketPolicy,
  PutBucketInventory: putBucketInventory,
  GetBucketInventory: getBucketInventory,
  ListBucketInventory: listBucketInventory,
  DeleteBucketInventory: deleteBucketInventory,
  PutStyle: putStyle,
  GetStyle: getStyle,
  ListStyle: listStyle,
  DeleteStyle: deleteStyle,
  InitiateBucketWorm: initiateBucketWorm,
  AbortBucketWorm: abortBucketWorm,
  CompleteBucketWorm: completeBucketWorm,
  ExtendBucketWorm: extendBucketWorm,
  GetBucketWorm: getBucketWorm,
  AppendObject: appendObject,
  RestoreObject: restoreObject,
  CleanRestoredObject: cleanRestoredObject,
  PutObjectTagging: putObjectTagging,
  GetObjectTagging: getObjectTagging,
  DeleteObjectTagging: deleteObjectTagging,
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
  ListObjects: servingRoot(listObjects),
  ListObjectsV2: listObjectsV2,
  DeleteMultipleObjects: deleteMultipleObjects,
  PutObject: withCallback(putObject),
  PostObject: postObject,
  ProcessObject: processObject,
  CopyObject: copyObject,
  GetObject: servingWebsite(withProcessing(getObject)),
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
  CompleteMultipartUpload: withCallback(completeMultipartUpload),
  AbortMultipartUpload: abortMultipartUpload,
  ListParts: listParts,
  ListMultipartUploads: listMultipartUploads,
}
