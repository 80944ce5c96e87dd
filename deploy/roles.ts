/** Where an installation is. */
export interface Place {
  readonly accountId: string
  readonly region: string
  readonly bucket: string
  readonly instance: string
  /** What names of functions and roles begin with. */
  readonly prefix: string
}

/** A RAM role: who may take it on, and what it may do then. */
export interface Role {
  readonly name: string
  readonly why: string
  readonly trust: Policy
  readonly policy: Policy
}

export interface Policy {
  readonly Version: '1'
  readonly Statement: readonly Statement[]
}

export interface Statement {
  readonly Effect: 'Allow'
  readonly Action: readonly string[]
  readonly Resource?: readonly string[]
  readonly Principal?: Readonly<Record<string, readonly string[]>>
  readonly Condition?: Readonly<Record<string, unknown>>
}

/** What may be done with the rows of a table; each step holds the one before it. */
type Access = 'read' | 'write' | 'erase'

/** What one function calls. */
interface Needs {
  readonly why: string
  readonly tables: Readonly<Record<string, Access>>
  /** Actions on the objects under a prefix. */
  readonly objects?: Readonly<Record<string, readonly string[]>>
  /** Prefixes whose objects it lists. */
  readonly lists?: readonly string[]
  /** Whether it lists unfinished multipart uploads; the service documents no condition on their prefix. */
  readonly listsUploads?: true
  readonly invokes?: readonly string[]
  /** Whether it hands out credentials of the uploader's role. */
  readonly grants?: true
}

const READ = ['ots:GetRow', 'ots:BatchGetRow', 'ots:GetRange']
const WRITE = [...READ, 'ots:PutRow', 'ots:UpdateRow', 'ots:BatchWriteRow']
const ACTIONS: Readonly<Record<Access, readonly string[]>> = {
  read: READ,
  write: WRITE,
  erase: [...WRITE, 'ots:DeleteRow'],
}

/** What looking at a media again takes. */
const DRIVING = {
  videos: 'write',
  media: 'read',
  media_refs: 'read',
  tasks: 'write',
  renditions: 'write',
  segments: 'write',
  due: 'write',
} as const
const WORKERS = ['ffmpeg-transcode', 'hls-index']
/** Looking at an uploaded object, and removing it; HEAD and GetSymlink count as GetObject. */
const KEEP_SOURCES = ['oss:GetObject', 'oss:PutObjectAcl', 'oss:DeleteObject', 'oss:AbortMultipartUpload']

const NEEDS: Readonly<Record<string, Needs>> = {
  'sts-token': {
    why: 'begins uploads, and hands out the rights for one key',
    tables: { uploads: 'write', idempotency: 'write', due: 'write' },
    grants: true,
  },
  'upload-notify': {
    why: 'looks at what was uploaded, removes what was given up, starts the work',
    tables: {
      ...DRIVING,
      uploads: 'write',
      media: 'write',
      media_refs: 'write',
      playbacks: 'write',
      idempotency: 'write',
    },
    objects: { 'uploads/*': KEEP_SOURCES },
    listsUploads: true,
    invokes: WORKERS,
    grants: true,
  },
  'ffmpeg-transcode': {
    why: 'reads sources and stores segments; nothing it could remove, start or hand out',
    tables: { tasks: 'write', media: 'write', segments: 'write' },
    objects: { 'uploads/*': ['oss:GetObject'], 'm/*': ['oss:GetObject', 'oss:PutObject'] },
    invokes: ['mps-callback'],
  },
  'hls-index': {
    why: 'compares rows and objects',
    tables: { tasks: 'write', media: 'read', renditions: 'read', segments: 'read' },
    objects: { 'uploads/*': ['oss:GetObject'] },
    lists: ['m/*'],
    invokes: ['mps-callback'],
  },
  'mps-callback': {
    why: 'looks at a media again',
    tables: { ...DRIVING, nonces: 'write' },
    invokes: WORKERS,
  },
  'play-redirect': {
    why: 'reads what viewers may see; its credentials sign the addresses of segments',
    tables: { playbacks: 'read', videos: 'read', media: 'read', segments: 'read', progress: 'read' },
    objects: { 'm/*': ['oss:GetObject'] },
  },
  heartbeat: {
    why: 'keeps positions and views',
    tables: {
      sessions: 'write',
      counters: 'write',
      progress: 'write',
      playbacks: 'read',
      videos: 'read',
      media: 'read',
    },
  },
  videos: {
    why: 'accounts, and the videos of their owners',
    tables: {
      ...DRIVING,
      accounts: 'write',
      idempotency: 'write',
      playbacks: 'write',
      videos_by_owner: 'read',
      counters: 'read',
    },
    invokes: WORKERS,
  },
  sweep: {
    why: 'finishes what was lost, and removes what was deleted',
    tables: {
      ...DRIVING,
      uploads: 'erase',
      media: 'erase',
      media_refs: 'erase',
      playbacks: 'erase',
      videos: 'erase',
      tasks: 'erase',
      renditions: 'erase',
      segments: 'erase',
      due: 'erase',
      sessions: 'erase',
      counters: 'erase',
      progress: 'erase',
      progress_by_video: 'read',
      cursors: 'write',
    },
    objects: { 'uploads/*': KEEP_SOURCES, 'm/*': ['oss:DeleteObject', 'oss:AbortMultipartUpload'] },
    lists: ['uploads/*', 'm/*'],
    listsUploads: true,
    invokes: WORKERS,
  },
}

/** Every role of an installation: one for each function, by the function's name, and the one that uploaders are given. */
export function roles(place: Place): Role[] {
  const own = Object.entries(NEEDS).map(([name, needs]) => ({
    name: `${place.prefix}${name}`,
    why: needs.why,
    trust: policy({ Effect: 'Allow', Action: ['sts:AssumeRole'], Principal: { Service: ['fc.aliyuncs.com'] } }),
    policy: policy(...statements(needs, place)),
  }))
  return [...own, uploader(place)]
}

/** The policies of all roles as JSON text, by the role's name. */
export function policiesByRole(place: Place): Record<string, string> {
  return Object.fromEntries(roles(place).map(({ name, policy }) => [name, JSON.stringify(policy)]))
}

/** The most that an uploader can have; each one's session policy narrows it to one key. */
function uploader(place: Place): Role {
  const granting = Object.keys(NEEDS).filter((name) => NEEDS[name]?.grants)
  const RAM = granting.map((name) => `acs:ram::${place.accountId}:role/${place.prefix}${name}`)
  return {
    name: `${place.prefix}uploader`,
    why: 'what an uploader is given at most; a session policy narrows it to one key',
    trust: policy({ Effect: 'Allow', Action: ['sts:AssumeRole'], Principal: { RAM } }),
    policy: policy({
      Effect: 'Allow',
      Action: ['oss:PutObject', 'oss:AbortMultipartUpload', 'oss:ListParts'],
      Resource: [`acs:oss:*:${place.accountId}:${place.bucket}/uploads/*`],
    }),
  }
}

function policy(...Statement: readonly Statement[]): Policy {
  return { Version: '1', Statement }
}

function statements(needs: Needs, place: Place): Statement[] {
  const { region, accountId, bucket, prefix } = place
  const { objects = {}, lists = [], listsUploads, invokes = [], grants } = needs
  const theBucket = `acs:oss:*:${accountId}:${bucket}`
  const allow = (Action: readonly string[], ...Resource: string[]): Statement => ({ Effect: 'Allow', Action, Resource })
  return [
    ...tableStatements(needs.tables, place),
    ...Object.entries(objects).map(([keys, actions]) => allow(actions, `${theBucket}/${keys}`)),
    ...(lists.length > 0
      ? [{ ...allow(['oss:ListObjects'], theBucket), Condition: { StringLike: { 'oss:Prefix': lists } } }]
      : []),
    ...(listsUploads ? [allow(['oss:ListMultipartUploads'], theBucket)] : []),
    ...invokes.map((name) =>
      allow(
        ['fc:InvokeFunction'],
        `acs:fc:${region}:${accountId}:functions/${prefix}${name}`,
        `acs:fc:${region}:${accountId}:functions/${prefix}${name}/*`,
      ),
    ),
    ...(grants ? [allow(['sts:AssumeRole'], `acs:ram::${accountId}:role/${prefix}uploader`)] : []),
  ]
}

/** One statement for all tables that are used in the same way. */
function tableStatements(tables: Needs['tables'], { region, accountId, instance }: Place): Statement[] {
  return (['read', 'write', 'erase'] as const).flatMap((access) => {
    const names = Object.keys(tables).filter((name) => tables[name] === access)
    if (names.length === 0) return []
    const Resource = names.map((name) => `acs:ots:${region}:${accountId}:instance/${instance}/table/${name}`)
    return [{ Effect: 'Allow' as const, Action: ACTIONS[access], Resource }]
  })
}
