import { readXmlBody } from './bodies.ts'
import { type Context, type Operation, type Reply, xmlReply } from './context.ts'
import { existingObject, objectOf, versionHeaders, versionOf } from './object-operations.ts'
import type { Tags } from './records.ts'
import { OBJECT_TAGS, readTags, writeTags } from './tags.ts'

export const putObjectTagging: Operation = {
  action: 'oss:PutObjectTagging',
  async run(context) {
    const document = await readXmlBody(context.request, 'Tagging')
    return await change(context, readTags(document, OBJECT_TAGS), 200)
  },
}

export const getObjectTagging: Operation = {
  action: 'oss:GetObjectTagging',
  run(context) {
    const name = objectOf(context)
    const record = existingObject(context, name, versionOf(context))
    return xmlReply(writeTags(record.tags ?? []), versionHeaders(context, name, record))
  },
}

export const deleteObjectTagging: Operation = {
  action: 'oss:DeleteObjectTagging',
  run: (context) => change(context, [], 204),
}

async function change(context: Context, tags: Tags, status: number): Promise<Reply> {
  const name = objectOf(context)
  existingObject(context, name, versionOf(context))
  const record = await context.store.changeObject(name, versionOf(context), () => ({ tags }))
  return { status, headers: versionHeaders(context, name, record) }
}
