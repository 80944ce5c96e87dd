import { expect, test } from 'vitest'
import { setUp, type Target } from '../../deploy/command.ts'

const env = {
  ALIYUN_ACCOUNT_ID: '1000000000000001',
  OSS_BUCKET: 'films',
  TABLESTORE_INSTANCE: 'rows',
  TABLESTORE_ENDPOINT: 'https://rows.cn-beijing.ots.aliyuncs.com',
  REGION: 'cn-beijing',
  ALIBABA_CLOUD_ACCESS_KEY_ID: 'id',
  ALIBABA_CLOUD_ACCESS_KEY_SECRET: 'secret',
}

/** The command with a world that only exists in the test. */
async function run(argv: readonly string[], given: Record<string, string | undefined> = env) {
  const lines: string[] = []
  const files = new Map<string, string>()
  const targets: Target[] = []
  const status = await setUp(argv, {
    env: given,
    async createTables(target) {
      targets.push(target)
      return ['videos']
    },
    writeFile: async (path, text) => void files.set(path, text),
    print: (line) => void lines.push(line),
  })
  return { status, text: lines.join('\n'), files, targets }
}

test('creates tables where the environment says, as whoever it says', async () => {
  const { status, text, targets } = await run(['tables'])
  const keys = { accessKeyId: 'id', accessKeySecret: 'secret' }
  expect(targets).toEqual([{ endpoint: env.TABLESTORE_ENDPOINT, instance: 'rows', ...keys }])
  expect(text).toContain('videos')
  expect(status).toBe(0)
})

test('passes on the token of credentials that end', async () => {
  const { targets } = await run(['tables'], { ...env, ALIBABA_CLOUD_SECURITY_TOKEN: 'token' })
  expect(targets).toMatchObject([{ securityToken: 'token' }])
})

test('writes two files for each role, with the names of this installation, and a command for each', async () => {
  const { status, text, files } = await run(['roles', 'out'])
  expect(status).toBe(0)
  for (const [path, json] of files) {
    expect(JSON.parse(json), path).toMatchObject({ Version: '1' })
    expect(text).toContain(path)
  }
  const policy = files.get('out/yunbo-play-redirect.policy.json')
  expect(policy).toContain('acs:oss:*:1000000000000001:films/m/*')
  expect(policy).toContain('acs:ots:cn-beijing:1000000000000001:instance/rows/table/segments')
  expect(files.get('out/yunbo-uploader.trust.json')).toContain('acs:ram::1000000000000001:role/yunbo-sts-token')
  expect(files.get('out/yunbo-videos.trust.json')).toContain('fc.aliyuncs.com')
})

test('no policy grants an action or a resource without saying which', async () => {
  const { files } = await run(['roles', 'out'])
  for (const [path, json] of files) {
    if (!path.endsWith('.policy.json')) continue
    const { Statement } = JSON.parse(json) as { Statement: { Action: string[]; Resource: string[] }[] }
    for (const { Action, Resource } of Statement) {
      expect(Action.join(), path).not.toContain('*')
      for (const resource of Resource) expect(resource, path).toMatch(/^acs:\w+:[\w*-]*:1000000000000001:\w.*$/)
    }
  }
})

test('names every variable that is missing, and does nothing', async () => {
  const { status, text, targets } = await run(['tables'], { TABLESTORE_INSTANCE: 'rows' })
  expect(text).toContain('TABLESTORE_ENDPOINT, ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET')
  expect(targets).toEqual([])
  expect(status).toBe(1)
})

test.each([[[]], [['table']], [['tables', 'more']], [['roles']], [['roles', 'out', 'more']], [['--all']]])(
  'refuses %j and explains itself',
  async (argv) => {
    const { status, text, files } = await run(argv)
    expect(status).toBe(1)
    expect(text.length).toBeGreaterThan(0)
    expect(files.size).toBe(0)
  },
)
