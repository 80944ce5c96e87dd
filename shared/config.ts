/** The environment as a function's index.ts reads it. */
export type Environment = Readonly<Record<string, string | undefined>>

type Parse<T> = (text: string) => T
/** One setting: the variable, how it is read, and what holds when it is unset (nothing: it is required). */
interface Setting<T> {
  readonly variable: string
  readonly parse: Parse<T>
  readonly fallback?: (env: Environment) => T
}
type Section = Readonly<Record<string, Setting<unknown>>>
type Values<S extends Section> = { readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never }

/** Every setting of every function, by section. */
export const SECTIONS = {
  oss: {
    endpoint: required('OSS_ENDPOINT', origin),
    /** What uploaders and players are told; differs from `endpoint` where functions use an internal address. */
    publicEndpoint: optional('OSS_PUBLIC_ENDPOINT', origin, (env) =>
      (settingText(env, 'OSS_ENDPOINT') ?? '').replace(/\/$/, ''),
    ),
    bucket: required('OSS_BUCKET', matching(/^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/, 'a bucket name')),
    addressing: optional('OSS_ADDRESSING', oneOf('virtual', 'path'), () => 'virtual' as const),
    /** Spelt `cn-hangzhou`, without `oss-`. */
    region: required('REGION', matching(/^(?!oss-)[a-z]+(-[a-z0-9]+)+$/, 'a region such as cn-hangzhou')),
  },
  tablestore: {
    endpoint: required('TABLESTORE_ENDPOINT', origin),
    instance: required('TABLESTORE_INSTANCE', matching(/^[A-Za-z][A-Za-z0-9-]{1,14}[A-Za-z0-9]$/, 'an instance name')),
  },
  sts: {
    endpoint: required('STS_ENDPOINT', origin),
    uploadRoleArn: required('UPLOAD_ROLE_ARN', matching(/^acs:ram::\d+:role\/\S+$/, 'acs:ram::<account>:role/<name>')),
    uploadSeconds: optional('UPLOAD_SECONDS', wholeNumber(900, 43_200), () => 3600),
  },
  invoke: {
    endpoint: required('INVOKE_ENDPOINT', origin),
    functionPrefix: optional('FUNCTION_PREFIX', matching(/^[A-Za-z_][\w-]*$/, 'a function name'), () => 'yunbo-'),
    /** Set only for accounts that still deploy to an FC 2.0 service. */
    service: optional('FC_SERVICE', anyText, () => undefined),
  },
  site: {
    /** Origin of pages and API, without a trailing slash. */
    publicUrl: required('PUBLIC_URL', origin),
  },
  secrets: {
    secretKey: required('SECRET_KEY', matching(/^[\s\S]{32,}$/, 'at least 32 characters')),
  },
  accounts: {
    signup: optional('SIGNUP', oneOf('open', 'closed'), () => 'closed' as const),
  },
  ffmpeg: {
    ffmpegPath: optional('FFMPEG_PATH', anyText, () => undefined),
    ffprobePath: optional('FFPROBE_PATH', anyText, () => undefined),
    nodeModulesDir: optional('NODE_MODULES_DIR', anyText, () => undefined),
    threads: optional('FFMPEG_THREADS', wholeNumber(1, 64), () => 2),
  },
  limits: {
    maxSourceBytes: optional('MAX_SOURCE_BYTES', wholeNumber(1), () => 20 * 1024 ** 3),
    maxSourceDurationMs: optional('MAX_SOURCE_DURATION_MS', wholeNumber(1), () => 8 * 3600 * 1000),
    maxSourcePixels: optional('MAX_SOURCE_PIXELS', wholeNumber(1), () => 8192 * 4352),
    maxSourceStreams: optional('MAX_SOURCE_STREAMS', wholeNumber(1), () => 64),
    uploadExpiresMs: optional('UPLOAD_EXPIRES_MS', wholeNumber(60_000), () => 24 * 3600 * 1000),
  },
  sweep: {
    /** How long a deleted video can be restored, and how long the row of an upload that came to nothing is kept. */
    purgeAfterMs: optional('PURGE_AFTER_MS', wholeNumber(0), () => 7 * 24 * 3600 * 1000),
    /** After the objects of a video are removed, how long until one looks for stragglers: rights to write live an hour. */
    purgeWaitMs: optional('PURGE_WAIT_MS', wholeNumber(0), () => 2 * 3600 * 1000),
    /** After a lease has ended, how long its worker may still be storing things. */
    leaseGraceMs: optional('LEASE_GRACE_MS', wholeNumber(0), () => 120_000),
    /** How often everything is walked through for what was lost. */
    auditEveryMs: optional('AUDIT_EVERY_MS', wholeNumber(0), () => 24 * 3600 * 1000),
  },
} as const satisfies Record<string, Section>

type Sections = typeof SECTIONS
export type SectionName = keyof Sections
/** The typed values of the given sections. */
export type Config<Name extends SectionName> = { readonly [K in Name]: Values<Sections[K]> }

/** Reads the given sections; everything that is missing or wrong is said in one error. An empty string counts as unset. */
export function loadConfig<Name extends SectionName>(env: Environment, ...names: Name[]): Config<Name> {
  const faults: string[] = []
  const sections = names.map((name) => [name, readSection(SECTIONS[name], env, faults)])
  if (faults.length > 0) throw new Error(`The configuration is not complete:\n  ${faults.join('\n  ')}`)
  return Object.fromEntries(sections) as Config<Name>
}

function readSection(section: Section, env: Environment, faults: string[]): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  for (const [name, setting] of Object.entries(section)) {
    try {
      values[name] = readSetting(setting, env)
    } catch (error) {
      faults.push(`${setting.variable} ${error instanceof Error ? error.message : ''}`)
    }
  }
  return values
}

function readSetting(setting: Setting<unknown>, env: Environment): unknown {
  const text = settingText(env, setting.variable)
  if (text !== undefined) return setting.parse(text)
  if (!setting.fallback) throw new Error('is missing')
  return setting.fallback(env)
}

function settingText(env: Environment, variable: string): string | undefined {
  return env[variable] === '' ? undefined : env[variable]
}

function required<T>(variable: string, parse: Parse<T>): Setting<T> {
  return { variable, parse }
}

function optional<T, F>(variable: string, parse: Parse<T>, fallback: (env: Environment) => F): Setting<T | F> {
  return { variable, parse, fallback }
}

/** An http(s) address without path, query and trailing slash. */
function origin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !/^https?:$/.test(url.protocol) || url.pathname !== '/' || url.search || url.hash || url.username) {
    throw new Error('must be an http or https address without a path')
  }
  return url.origin
}

function matching(pattern: RegExp, what: string): Parse<string> {
  return (text) => {
    if (!pattern.test(text)) throw new Error(`must be ${what}`)
    return text
  }
}

function oneOf<T extends string>(...values: T[]): Parse<T> {
  return (text) => {
    const found = values.find((value) => value === text)
    if (!found) throw new Error(`must be one of ${values.join(', ')}`)
    return found
  }
}

function wholeNumber(min: number, max: number = Number.MAX_SAFE_INTEGER): Parse<number> {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
    if (!(value >= min && value <= max)) throw new Error(`must be a whole number from ${min} to ${max}`)
    return value
  }
}

function anyText(text: string): string {
  return text
}
