import { writeXml, type XmlElement, type XmlFields } from '../wire/xml.ts'
import { readXmlBody } from './bodies.ts'
import { bucketOf } from './bucket-operations.ts'
import { type Context, type Operation, xmlReply } from './context.ts'
import { invalidArgument, OssError } from './errors.ts'
import { checkListText, readPageSize } from './listing.ts'
import { xmlDate } from './metadata.ts'
import { objectOf } from './object-operations.ts'
import type { ChannelRecord, ChannelSnapshot } from './records.ts'
import type { Store } from './store.ts'
import type { ObjectName } from './tables.ts'

/*
 * Live channels as things that are made, listed and switched. No streams arrive: nothing here speaks RTMP, so a channel is
 * idle or disabled, its history is empty, and there are no segments of which a playlist could be made.
 * https://help.aliyun.com/zh/oss/developer-reference/putlivechannel
 */

const putLiveChannel: Operation = {
  action: 'oss:PutLiveChannel',
  async run(context) {
    const { request, store, now } = context
    const name = channelName(context)
    store.bucket(name.bucket)
    const document = await readXmlBody(request, 'LiveChannelConfiguration')
    const channel = { ...readChannel(document, store), lastModifiedAt: now() }
    await store.channels.put(name, channel)
    return xmlReply(writeXml('CreateLiveChannelResult', addresses(context, name, channel)))
  },
}

const getLiveChannelInfo: Operation = {
  action: 'oss:GetLiveChannel',
  run(context) {
    const { description, status, snapshot, ...target } = existingChannel(context)
    return xmlReply(
      writeXml('LiveChannelConfiguration', {
        Description: description,
        Status: status,
        Target: {
          Type: 'HLS',
          FragDuration: target.fragDuration,
          FragCount: target.fragCount,
          PlaylistName: target.playlistName,
        },
        Snapshot: snapshot && {
          RoleName: snapshot.roleName,
          DestBucket: snapshot.destBucket,
          NotifyTopic: snapshot.notifyTopic,
          Interval: snapshot.interval,
        },
      }),
    )
  },
}

/** Takes the channel away, not what was recorded; one that is not there is gone as well. */
const deleteLiveChannel: Operation = {
  action: 'oss:DeleteLiveChannel',
  async run(context) {
    await context.store.channels.remove(channelName(context))
    return { status: 204 }
  },
}

const putLiveChannelStatus: Operation = {
  action: 'oss:PutLiveChannelStatus',
  async run(context) {
    const status = readStatus(context.request.param('status') ?? '')
    const channel = existingChannel(context)
    await context.store.channels.put(channelName(context), { ...channel, status })
    return { status: 200 }
  },
}

const getLiveChannelStat: Operation = {
  action: 'oss:GetLiveChannelStat',
  run(context) {
    const { status } = existingChannel(context)
    return xmlReply(writeXml('LiveChannelStat', { Status: status === 'enabled' ? 'Idle' : 'Disabled' }))
  },
}

const getLiveChannelHistory: Operation = {
  action: 'oss:GetLiveChannelHistory',
  run(context) {
    existingChannel(context)
    return xmlReply(writeXml('LiveChannelHistory', ''))
  },
}

const listLiveChannel: Operation = {
  action: 'oss:ListLiveChannel',
  run(context) {
    const { request, store } = context
    const bucket = bucketOf(context)
    store.bucket(bucket)
    const prefix = checkListText(request, 'prefix')
    const marker = checkListText(request, 'marker')
    const max = readPageSize(request, 'max-keys', 100)
    const found = take(store.channels.list(bucket, prefix, marker), max + 1)
    const page = found.slice(0, max)
    const truncated = found.length > max
    return xmlReply(
      writeXml('ListLiveChannelResult', {
        Prefix: prefix,
        Marker: marker,
        MaxKeys: max,
        IsTruncated: truncated,
        NextMarker: truncated ? page.at(-1)?.name : '',
        LiveChannel: page.map(({ name, channel }) => ({
          Name: name,
          Description: channel.description,
          Status: channel.status,
          LastModified: xmlDate(channel.lastModifiedAt),
          ...addresses(context, { bucket, key: name }, channel),
        })),
      }),
    )
  },
}

const postVodPlaylist: Operation = {
  action: 'oss:PostVodPlaylist',
  run(context) {
    const { bucket, key } = objectOf(context)
    const slash = key.lastIndexOf('/')
    checkPlaylistName(key.slice(slash + 1))
    return refuseVod(context, { bucket, key: key.slice(0, Math.max(slash, 0)) })
  },
}

const getVodPlaylist: Operation = {
  action: 'oss:GetVodPlaylist',
  run: (context) => refuseVod(context, objectOf(context)),
}

/** The operations on live channels by their names in the API reference. */
export const LIVE_OPERATIONS = {
  PutLiveChannel: putLiveChannel,
  GetLiveChannelInfo: getLiveChannelInfo,
  DeleteLiveChannel: deleteLiveChannel,
  PutLiveChannelStatus: putLiveChannelStatus,
  GetLiveChannelStat: getLiveChannelStat,
  GetLiveChannelHistory: getLiveChannelHistory,
  ListLiveChannel: listLiveChannel,
  PostVodPlaylist: postVodPlaylist,
  GetVodPlaylist: getVodPlaylist,
} as const satisfies Record<string, Operation>

function take<Item>(items: Iterable<Item>, count: number): readonly Item[] {
  const taken: Item[] = []
  for (const item of items) {
    if (taken.push(item) >= count) break
  }
  return taken
}

function channelName(context: Context): ObjectName {
  const name = objectOf(context)
  if (!name.key.includes('/')) return name
  throw invalidArgument('ChannelName', name.key.slice(0, 64), 'The channel name must not contain a slash.')
}

function existingChannel(context: Context, name = channelName(context)): ChannelRecord {
  context.store.bucket(name.bucket)
  const channel = context.store.channels.find(name)
  if (channel === undefined) throw new OssError('NoSuchLiveChannel', { ChannelName: name.key.slice(0, 64) })
  return channel
}

/** Where a stream goes and where it is watched: always with the bucket in the host, as the suites of the SDKs want it. */
function addresses({ request }: Context, { bucket, key }: ObjectName, { playlistName }: ChannelRecord): XmlFields {
  const host = request.header('host') ?? ''
  const own = host.startsWith(`${bucket}.`) ? host : `${bucket}.${host}`
  const channel = encodeURIComponent(key)
  return {
    PublishUrls: { Url: `rtmp://${own}/live/${channel}` },
    PlayUrls: { Url: `http://${own}/${channel}/${encodeURIComponent(playlistName)}` },
  }
}

function readChannel(document: XmlElement, store: Store): Omit<ChannelRecord, 'lastModifiedAt'> {
  const description = document.value('Description')?.trim() ?? ''
  if (Buffer.byteLength(description) > 128) {
    throw invalidArgument('Description', description.slice(0, 64), 'The description is longer than 128 bytes.')
  }
  const [target] = document.all('Target')
  const type = target?.value('Type')?.trim() ?? ''
  if (target === undefined || type !== 'HLS') throw invalidArgument('Type', type.slice(0, 64), 'The type must be HLS.')
  const [snapshot] = document.all('Snapshot')
  return {
    description,
    status: readStatus(document.value('Status')?.trim() || 'enabled'),
    fragDuration: readNumber(target, 'FragDuration', 5, '0044-00000014'),
    fragCount: readNumber(target, 'FragCount', 3),
    playlistName: checkPlaylistName(target.value('PlaylistName')?.trim() || 'playlist.m3u8'),
    ...(snapshot && { snapshot: readSnapshot(snapshot, store) }),
  }
}

function readStatus(text: string): 'enabled' | 'disabled' {
  if (text === 'enabled' || text === 'disabled') return text
  throw invalidArgument('Status', text.slice(0, 64), 'The status must be enabled or disabled.')
}

/** 1 to 100; the number of the error is published at https://help.aliyun.com/zh/oss/support/0044-00000014. */
function readNumber(element: XmlElement, name: string, otherwise: number, exactCode?: string): number {
  const text = element.value(name)?.trim() ?? ''
  if (text === '') return otherwise
  if (/^\d{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= 100) return Number(text)
  const details = { ArgumentName: name, ArgumentValue: text.slice(0, 64), ...(exactCode && { EC: exactCode }) }
  throw new OssError('InvalidArgument', details, `${name} must be an integer between 1 and 100.`)
}

/** https://help.aliyun.com/zh/oss/support/0044-00000016 to 0044-00000018. */
function checkPlaylistName(name: string): string {
  const refuse = (EC: string, message: string) =>
    new OssError('InvalidArgument', { ArgumentName: 'PlaylistName', ArgumentValue: name.slice(0, 64), EC }, message)
  if (name.includes('/')) throw refuse('0044-00000016', 'The playlist name must not contain a slash.')
  const bytes = Buffer.byteLength(name)
  if (bytes < 6 || bytes > 128) throw refuse('0044-00000017', 'The playlist name must have 6 to 128 characters.')
  if (!/\.m3u8$/i.test(name)) throw refuse('0044-00000018', 'The playlist name must end with .m3u8.')
  return name
}

function readSnapshot(element: XmlElement, store: Store): ChannelSnapshot {
  const text = (name: string) => {
    const value = element.value(name)?.trim()
    if (value) return value
    throw invalidArgument(name, '', `A snapshot needs ${name}.`)
  }
  const destBucket = text('DestBucket')
  if (store.findBucket(destBucket) === undefined) {
    throw invalidArgument('DestBucket', destBucket.slice(0, 64), 'The bucket of the snapshots does not exist.')
  }
  const interval = readNumber(element, 'Interval', 5)
  return { roleName: text('RoleName'), destBucket, notifyTopic: text('NotifyTopic'), interval }
}

const MAX_VOD_SECONDS = 86_400

/** No segment was ever recorded, which is what the service says of a time in which none was. */
function refuseVod(context: Context, name: ObjectName): never {
  const [start, end] = ['startTime', 'endTime'].map((parameter) => {
    const text = context.request.param(parameter) ?? ''
    if (/^[1-9]\d{0,11}$/.test(text)) return Number(text)
    throw invalidArgument(parameter, text.slice(0, 64), `${parameter} must be seconds since 1970.`)
  })
  const seconds = (end ?? 0) - (start ?? 0)
  if (seconds <= 0 || seconds > MAX_VOD_SECONDS) {
    throw invalidArgument('endTime', String(end), 'endTime must be after startTime, by a day at most.')
  }
  existingChannel(context, name)
  throw new OssError('InvalidArgument', {}, 'No ts file found in specified time span.')
}
