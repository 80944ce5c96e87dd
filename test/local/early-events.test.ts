import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import OSS from 'ali-oss'
import { expect, onTestFinished, test } from 'vitest'
import { openClock } from '../../local/controls/clock.ts'
import { openFaults } from '../../local/controls/faults.ts'
import { type Surroundings, startServices } from '../../local/services.ts'
import { Teardown } from '../../local/teardown.ts'
import { openCredentials } from '../../local/wire/credentials.ts'
import { ACCOUNT, mnsClient } from './mns/open.ts'

test('what clients store and publish before Function Compute is up still starts functions', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'early-'))
  onTestFinished(() => rm(dataDir, { recursive: true }))
  const running = new Teardown()
  onTestFinished(() => running.close())
  const clock = openClock(join(dataDir, 'clock'))
  running.add(async () => clock.close())
  const seen: string[] = []
  let functions: ReturnType<Surroundings['fc']>
  const place = { dataDir, host: '127.0.0.1', port: 0, region: 'cn-hangzhou', instance: 'instance', home: '', env: {} }
  const services = await startServices(
    {
      ...place,
      clock,
      credentials: openCredentials(ACCOUNT, clock.now),
      faults: openFaults({ clock, instanceOf: () => undefined, killCloud() {} }),
      fc: () => functions,
    },
    running,
  )
  await services.oss.createBucket('early')
  const { accessKeyId, accessKeySecret } = ACCOUNT
  const client = { endpoint: services.oss.url, bucket: 'early', region: 'oss-cn-hangzhou', sldEnable: true }
  await new OSS({ ...client, accessKeyId, accessKeySecret } as OSS.Options).put('film', Buffer.from('x'))
  const mns = mnsClient(services.mns.url)
  await mns.createTopic('news')
  await mns.publishMessage('news', { MessageBody: 'word' })

  functions = {
    ossEvent: ({ key }) => void seen.push(key),
    topicMessage: ({ body }) => void seen.push(body),
  }
  services.tellEarlier()
  await services.mns.idle()
  await clock.advance(1000)
  await services.mns.idle()
  expect(seen).toEqual(['film', 'word'])
  services.tellEarlier()
  expect(seen).toHaveLength(2)
})
