/** The vendor's client for Node with the tests and samples of its own package. */
import { readdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import TableStore from 'tablestore'
import { TABLESTORE_KNOWN } from './tablestore-known.mjs'
import { runProgram } from './tools.mjs'

/** @typedef {import('./clients.d.ts').Outcome} Outcome */

const PACKAGE = dirname(createRequire(import.meta.url).resolve('tablestore/package.json'))
const RUNNER = fileURLToPath(new URL('tablestore-bdd.cjs', import.meta.url))

/** In an order in which each finds what it needs; the rest of the folder is not for running. */
const SAMPLES = [
  ...['createTable', 'listTable', 'describeTable', 'putRow', 'getRow', 'updateRow', 'conditionUpdateRow'],
  ...['batchWriteRow', 'batchGetRow', 'getRange', 'updateTable', 'deleteRow', 'AutoIncrement', 'multiVersion'],
  ...['createTableWithGlobalIndex', 'createGlobalIndex', 'deleteGlobalIndex', 'getRowByGlobalIndex', 'increment'],
  ...['primarykey', 'domainError', 'stsTokenClient', 'listSearchIndex', 'createSearchIndex', 'describeSearchIndex'],
  ...['updateSearchIndex', 'search', 'searchPaginateByToken', 'parallelScan', 'computeSplits', 'deleteSearchIndex'],
  ...['deleteTable', 'sql'],
].map((name) => `samples/${name}.js`)
const ASYNC_SAMPLES = ['createTable', 'transaction', 'token', 'searchPaginateByToken'].map(
  (name) => `samples-async(node6)/${name}.js`,
)

/** @type {import('./clients.d.ts').Client} */
export const tablestore = {
  name: 'tablestore',
  missing: async () => undefined,
  version: async () => `tablestore ${JSON.parse(await readFile(join(PACKAGE, 'package.json'), 'utf8')).version}`,
  async run(cloud, workDir) {
    const env = {
      accessKeyId: cloud.accessKeyId,
      secretAccessKey: cloud.accessKeySecret,
      endpoint: cloud.tablestore.endpoint,
      instancename: cloud.tablestore.instance,
    }
    /** @type {Outcome[]} */
    const outcomes = []
    for (const file of await testFiles()) outcomes.push(...(await runTests(file, workDir, env)))
    const client = await prepare(cloud)
    for (const file of SAMPLES) outcomes.push(await runSample(file, workDir, env))
    await client.deleteTable({ tableName: 'sampleTable' })
    for (const file of ASYNC_SAMPLES) outcomes.push(await runSample(file, workDir, env))
    return outcomes
  },
  known: TABLESTORE_KNOWN,
}

/** @returns {Promise<string[]>} */
async function testFiles() {
  const names = await readdir(join(PACKAGE, 'test'), { recursive: true })
  return names
    .filter((name) => name.endsWith('.test.js'))
    .sort()
    .map((name) => join('test', name))
}

/** @param {string} file @param {string} cwd @param {Record<string, string>} env @returns {Promise<Outcome[]>} */
async function runTests(file, cwd, env) {
  const { text } = await runProgram(process.execPath, ['--no-deprecation', RUNNER, join(PACKAGE, file)], {
    cwd,
    env,
    seconds: 120,
  })
  const lines = text.split('\n').filter((line) => line.startsWith('{"name":'))
  if (lines.length === 0) return [{ name: file, error: text }]
  return lines.map((line) => {
    const { name, ...rest } = JSON.parse(line)
    return { name: `${file}: ${name}`, ...rest }
  })
}

/** @param {string} file @param {string} cwd @param {Record<string, string>} env @returns {Promise<Outcome>} */
async function runSample(file, cwd, env) {
  const { text, status } = await runProgram(process.execPath, ['--no-deprecation', join(PACKAGE, file)], {
    cwd,
    env,
    seconds: 30,
  })
  if (file.endsWith('domainError.js')) return /^Data:/m.test(text) ? { name: file } : { name: file, error: text }
  const failed = status !== 0 || /^(\w+ )?error:|Error:|^Unhandled|code: \d{3}/m.test(text)
  return failed ? { name: file, error: text } : { name: file }
}

/** What samples read and do not make, in the shape that they read it in. @param {import('./clients.d.ts').Cloud} cloud */
async function prepare(cloud) {
  const client = new TableStore.Client({
    accessKeyId: cloud.accessKeyId,
    accessKeySecret: cloud.accessKeySecret,
    endpoint: cloud.tablestore.endpoint,
    instancename: cloud.tablestore.instance,
  })
  /** @param {string} tableName @param {{ name: string, type: 'STRING' | 'INTEGER' }[]} primaryKey */
  const create = (tableName, primaryKey) =>
    client.createTable({
      tableMeta: { tableName, primaryKey },
      tableOptions: { timeToLive: -1, maxVersions: 1 },
      reservedThroughput: { capacityUnit: { read: 0, write: 0 } },
    })
  await create('orderHistory', [{ name: 'order_id', type: 'STRING' }])
  await create('nestedTag', [{ name: 'id', type: 'STRING' }])
  await create('sample', [{ name: 'id', type: 'STRING' }])
  await create('index1', [
    { name: 'pk2', type: 'INTEGER' },
    { name: 'pk1', type: 'INTEGER' },
  ])
  await client.putRow({
    tableName: 'orderHistory',
    condition: new TableStore.Condition(TableStore.RowExistenceExpectation.IGNORE, null),
    primaryKey: [{ order_id: 'order_id_001' }],
    attributeColumns: [{ increment: TableStore.Long.fromNumber(0) }],
  })
  return client
}
