import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import OSS from 'ali-oss'
import { expect, onTestFinished, test } from 'vitest'
import { startLocal } from '../../../local/index.ts'
import { functionResource, makeProject, manifestText } from '../fc/project.ts'
import { localConfig } from '../fc/sdk.ts'
import { mnsClient, openSubscriber, raw } from '../mns/open.ts'
import { verifyPush } from '../mns/verify-push.ts'
import { clip, mtsSdk } from './open.ts'

/** Keeps every event, one on a line. */
const KEEPER = `
import { appendFileSync } from 'node:fs'
export const handler = async (event) => appendFileSync(process.env.OUT, event.toString() + '\\n')`

const trigger = (name: string, config: object) => ({
  triggerName: name,
  triggerType: 'mns_topic',
  sourceArn: "acs:mns:cn-hangzhou:${env('ALIYUN_ACCOUNT_ID')}:/topics/transcoded",
  triggerConfig: { notifyStrategy: 'BACKOFF_RETRY', ...config },
})

test('the end of a job reaches an HTTP subscriber and the functions on the topic of its pipeline', async () => {
  const project = await makeProject({})
  onTestFinished(() => project.dispose())
  const keeper = (name: string, config: object) =>
    functionResource(name, {
      triggers: [trigger(`on-${name}`, config)],
      environmentVariables: { OUT: join(project.dir, `${name}.txt`) },
    })
  const functions = {
    json: keeper('json', { notifyContentFormat: 'JSON' }),
    stream: keeper('stream', { notifyContentFormat: 'STREAM' }),
    red: keeper('red', { notifyContentFormat: 'STREAM', filterTag: 'red' }),
  }
  await project.write({
    's.yaml': manifestText(functions),
    ...Object.fromEntries(Object.keys(functions).map((name) => [`code/${name}/index.mjs`, KEEPER])),
  })
  const local = await startLocal({ port: 0, dataDir: project.dataDir, projectDir: project.dir, web: false })
  onTestFinished(() => local.close())
  const { cloud } = local
  const { accessKeyId, accessKeySecret } = cloud
  const keys = { accessKeyId, accessKeySecret }
  const subscriber = await openSubscriber(500)
  onTestFinished(() => subscriber.close())

  const mns = mnsClient(cloud.mns.endpoint, keys)
  await mns.createTopic('transcoded')
  const fields = `<Endpoint>${subscriber.url}/done</Endpoint><NotifyContentFormat>SIMPLIFIED</NotifyContentFormat>`
  const body = `<Subscription>${fields}</Subscription>`
  await raw(cloud.mns.endpoint, 'PUT', '/topics/transcoded/subscriptions/http', { body, keys })

  type Config = ConstructorParameters<typeof mtsSdk.default>[0]
  const mts = new mtsSdk.default(localConfig(Number(cloud.mps.endpoint.split(':')[1]), keys) as Config)
  const { pipelineId } = cloud.mps
  const notifyConfig = JSON.stringify({ Topic: 'transcoded' })
  const settings = { pipelineId, name: 'p', state: 'Active', notifyConfig }
  await mts.updatePipeline(new mtsSdk.UpdatePipelineRequest(settings))
  const options = { endpoint: cloud.oss.endpoint, bucket: cloud.oss.bucket, sldEnable: true, ...keys }
  const oss = new OSS(options as OSS.Options)
  await oss.put('in.mp4', await clip(1))
  // A connection that breaks twice is no reason to fail.
  local.faults.add({
    fault: 'call',
    service: 'oss',
    operation: 'PutObject',
    target: 'out.mp4',
    when: 'before',
    times: 2,
  })
  const { body: submitted } = await mts.submitJobs(
    new mtsSdk.SubmitJobsRequest({
      input: JSON.stringify({ Bucket: cloud.oss.bucket, Location: 'oss-cn-hangzhou', Object: 'in.mp4' }),
      outputBucket: cloud.oss.bucket,
      outputs: JSON.stringify([{ OutputObject: 'out.mp4', TemplateId: 'S00000001-200000' }]),
      pipelineId,
    }),
  )
  await local.idle()
  const jobId = submitted?.jobResultList?.jobResult?.[0]?.job?.jobId
  expect(subscriber.pushed).toHaveLength(1)
  await local.advance(20_000)
  await local.idle()
  expect(subscriber.pushed).toHaveLength(2)
  await local.advance(60_000)
  expect(subscriber.pushed).toHaveLength(2)
  const [first, second] = subscriber.pushed
  if (!first || !second) throw new Error('both came')
  expect(await verifyPush(second)).toBe(`${cloud.mns.endpoint}/x509_public_certificate.pem`)
  expect(second.body).toBe(first.body)
  expect(JSON.parse(second.body)).toMatchObject({ jobId, JobId: jobId, state: 'Success', type: 'Transcode' })

  const kept = (name: string) => {
    const path = join(project.dir, `${name}.txt`)
    return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : []
  }
  expect(kept('stream')).toEqual([second.body])
  expect(kept('json').map((line) => JSON.parse(line))).toMatchObject([
    { TopicName: 'transcoded', TopicOwner: cloud.accountId, SubscriptionName: 'on-json', Message: second.body },
  ])
  expect(kept('red')).toEqual([])
  expect((await oss.get('out.mp4')).res.status).toBe(200)
})

test('faults strike MPS, MNS, and messages on their way', async () => {
  const project = await makeProject({ 's.yaml': manifestText({}) })
  onTestFinished(() => project.dispose())
  const local = await startLocal({ port: 0, dataDir: project.dataDir, projectDir: project.dir, web: false })
  onTestFinished(() => local.close())
  const { cloud, faults } = local
  const mns = mnsClient(cloud.mns.endpoint, cloud)
  await mns.createTopic('t')
  for (const name of ['a', 'b']) {
    await mns.createQueue(name)
    const endpoint = `acs:mns:${cloud.region}:${cloud.accountId}:queues/${name}`
    const body = `<Subscription><Endpoint>${endpoint}</Endpoint><NotifyContentFormat>SIMPLIFIED</NotifyContentFormat></Subscription>`
    await raw(cloud.mns.endpoint, 'PUT', `/topics/t/subscriptions/${name}`, { body, keys: cloud })
  }
  faults.add({ fault: 'delivery', of: 'message', target: 't/a', outcome: 'drop' })
  faults.add({ fault: 'delivery', of: 'message', target: 't/b', outcome: 'duplicate' })
  await mns.publishMessage('t', { MessageBody: 'x' })
  await local.idle()
  await expect(mns.receiveMessage('a')).rejects.toMatchObject({ name: 'MNSMessageNotExistError' })
  expect((await mns.batchReceiveMessage('b', 16)).body).toHaveLength(2)

  faults.add({ fault: 'call', service: 'mns', operation: 'SendMessage', when: 'after', outcome: 'busy' })
  const failed = await raw(cloud.mns.endpoint, 'POST', '/queues/a/messages', {
    body: '<Message><MessageBody>y</MessageBody></Message>',
    keys: cloud,
  })
  expect([failed.status, failed.code]).toEqual([503, 'ServiceUnavailable'])
  expect((await mns.receiveMessage('a')).body.MessageBody).toBe('y')

  faults.add({ fault: 'call', service: 'mps', operation: 'QueryPipelineList', when: 'before', outcome: 'busy' })
  type Config = ConstructorParameters<typeof mtsSdk.default>[0]
  const mts = new mtsSdk.default(localConfig(Number(cloud.mps.endpoint.split(':')[1]), cloud) as Config)
  const query = new mtsSdk.QueryPipelineListRequest({ pipelineIds: cloud.mps.pipelineId })
  await expect(mts.queryPipelineList(query)).rejects.toMatchObject({ code: 'ServiceUnavailable' })
  expect((await mts.queryPipelineList(query)).body?.pipelineList?.pipeline).toHaveLength(1)
})
