import { aclReply } from './bucket-operations.ts'
import type { Operation } from './context.ts'
import { OssError } from './errors.ts'
import { readObjectAcl } from './metadata.ts'
import { existingObject, objectOf, versionHeaders, versionOf } from './object-operations.ts'

export const putObjectAcl: Operation = {
  action: 'oss:PutObjectAcl',
  async run(context) {
    const { request, store } = context
    if (request.header('x-oss-object-acl') === undefined) {
      throw new OssError('MissingArgument', { ArgumentName: 'x-oss-object-acl' })
    }
    const name = objectOf(context)
    const acl = readObjectAcl(request)
    existingObject(context, name, versionOf(context))
    const record = await store.changeObject(name, versionOf(context), () => ({ acl }))
    return { status: 200, headers: versionHeaders(context, name, record) }
  },
}

export const getObjectAcl: Operation = {
  action: 'oss:GetObjectAcl',
  run(context) {
    const name = objectOf(context)
    const record = existingObject(context, name, versionOf(context))
    return aclReply(context, record.acl, versionHeaders(context, name, record))
  },
}
