import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { openStage } from '../test/e2e/cloud.ts'
import { ossRows } from './cloud.ts'
import { heartbeatRow } from './heartbeat.ts'
import { httpRows } from './http.ts'
import { median, type Row } from './measure.ts'
import { copyRow, ladderRows } from './media.ts'
import { coldStartRows, startRow } from './start.ts'
import { tablestoreRows } from './tablestore.ts'

const USAGE = `Usage: npm run bench -- [options]

  --only NAMES  some of start, http, cloud, copy, ladder, comma-separated (all)
  --rounds N    of the media measurements (3)
  --json        one JSON document instead of a table
  --help        this text

Every figure is a ratio against a baseline of the same run; bench/README.md says how to read them.
`
const GROUPS = ['start', 'http', 'cloud', 'copy', 'ladder'] as const
type Group = (typeof GROUPS)[number]

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: GROUPS.join(',') },
    rounds: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) process.stdout.write(USAGE)
else await measure(values.only.split(',').filter(isGroup), Number(values.rounds), values.json)
process.exit()

function isGroup(name: string): name is Group {
  return GROUPS.some((group) => group === name)
}

async function measure(groups: readonly Group[], rounds: number, json: boolean): Promise<void> {
  const project = resolve('.')
  const dist = resolve('dist')
  const stage = groups.includes('http') || groups.includes('ladder') ? await openStage() : undefined
  const rows: Row[] = []
  const show = (more: readonly Row[]) => {
    rows.push(...more)
    if (!json) for (const row of more) process.stdout.write(`${line(row)}\n`)
  }
  try {
    if (groups.includes('start')) show([...(await coldStartRows(dist)), await startRow(project)])
    if (stage && groups.includes('http')) {
      show(await httpRows(stage.local.cloud, dist))
      show([await heartbeatRow(stage.local, dist)])
    }
    if (groups.includes('cloud')) show([...(await ossRows(dist)), ...(await tablestoreRows(dist))])
    if (groups.includes('copy')) show([await copyRow(rounds)])
    if (stage && groups.includes('ladder')) show(await ladderRows(stage, rounds))
  } finally {
    await stage?.close()
  }
  const machine = { node: process.version, at: new Date().toISOString() }
  if (json) process.stdout.write(`${JSON.stringify({ ...machine, rows: rows.map(withVerdict) }, null, 2)}\n`)
}

function withVerdict(row: Row) {
  const ratio = median(row.ratios)
  return { ...row, ratio, met: row.sense === 'most' ? ratio <= row.target : ratio >= row.target }
}

function line(row: Row): string {
  const { ratio, met } = withVerdict(row)
  const wanted = `${row.sense === 'most' ? '≤' : '≥'} ${row.target}`
  const verdict = met ? 'met   ' : 'MISSED'
  return `${verdict}  ${ratio.toFixed(2).padStart(6)}  (${wanted})  ${row.name}: ${row.detail}; against ${row.baseline}`
}
