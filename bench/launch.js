// SPDX-License-Identifier: Apache-2.0
// How long a start takes, from the call to the known end of /bin/true: all contenders in turns, in one process, by medians.
//   node bench/launch.js [--runs N] [--gap MS] [--program PATH] [--only KEY,KEY] [--heap MIB] [--json FILE]
import { writeFileSync } from 'node:fs'
import { cpus, release } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { makeContenders } from './contenders.js'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '200' },
    gap: { type: 'string', default: '0' },
    program: { type: 'string', default: '/bin/true' },
    only: { type: 'string' },
    json: { type: 'string' },
    heap: { type: 'string', default: '0' },
  },
})
const runs = Number(values.runs)
const gapMs = Number(values.gap)
// a server has more memory than this script: fork pays for it, by page table
const ballast = Array.from({ length: Number(values.heap) }, () => Buffer.alloc(2 ** 20, 1))

const { contenders, missing, close } = await makeContenders(values.program, values.only?.split(','))
const samples = new Map(contenders.map(({ key }) => [key, []]))
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => (close(), process.exit(130)))

async function time({ key, run }, keep) {
  if (gapMs > 0) await sleep(gapMs)
  const before = performance.now()
  // the floor measures itself: the pipe to it is not what is asked
  const own = await run()
  if (keep) samples.get(key).push(own ?? performance.now() - before)
}

try {
  for (let round = -5; round < runs; round++)
    // nobody always follows the same neighbour
    for (let i = 0; i < contenders.length; i++)
      await time(contenders[(i + Math.max(round, 0)) % contenders.length], round >= 0)
} finally {
  await close()
}

const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]
const rows = contenders.map(({ key, name }) => {
  const sorted = samples.get(key).sort((a, b) => a - b)
  return {
    key,
    name,
    p50: quantile(sorted, 0.5),
    p10: quantile(sorted, 0.1),
    p90: quantile(sorted, 0.9),
    samples: sorted.length,
  }
})
const p50 = Object.fromEntries(rows.map((row) => [row.key, row.p50]))
const ms = (value) => value.toFixed(2).padStart(8)
const ratio = (row, key) => (p50[key] ? (row.p50 / p50[key]).toFixed(2).padStart(8) : ''.padStart(8))

console.log(
  `${runs} starts of ${values.program} each, ${gapMs} ms between; ms; Node ${process.version}, Linux ${release()}, ${Math.round(process.memoryUsage().rss / 2 ** 20)} MiB, ${cpus().length} × ${cpus()[0]?.model ?? 'CPU'}`,
)
console.log(
  `${''.padEnd(42)}${'p50'.padStart(8)}${'p10'.padStart(8)}${'p90'.padStart(8)}${'÷ spawn'.padStart(9)}${'÷ floor'.padStart(8)}`,
)
for (const row of rows)
  console.log(
    `${row.name.padEnd(42)}${ms(row.p50)}${ms(row.p10)}${ms(row.p90)} ${ratio(row, 'spawn')}${ratio(row, 'floor')}`,
  )
for (const { name, why } of missing) console.log(`${name.padEnd(42)}  not here: ${why}`)

const targets =
  gapMs > 0
    ? [
        ['limits', 'spawn', 1.25],
        ['limits', 'cgexec', 0.5],
      ]
    : [
        ['hutch', 'spawn', 0.8],
        ['hutch', 'bwrap', 0.3],
        ['hutch', 'runc', 0.08],
        ['hutch', 'floor', 2.5],
        ['root', 'spawn', 0.9],
        ['root', 'bwraproot', 0.3],
        ['sandbox', 'spawn', 1],
        ['sandbox', 'bwrapsandbox', 0.35],
        ['pool', 'spawn', 0.35],
        ['root', 'runcroot', 0.08],
        ['root', 'rootfloor', 1.25],
      ]
const ratios = targets
  .filter(([a, b]) => p50[a] && p50[b])
  .map(([a, b, most]) => ({ a, b, ratio: p50[a] / p50[b], most }))
for (const { a, b, ratio: is, most } of ratios)
  console.log(`${is <= most ? '✓' : '✗'} ${a} ÷ ${b} = ${is.toFixed(3)} (aim: at most ${most})`)

if (values.json)
  writeFileSync(
    values.json,
    `${JSON.stringify({ date: new Date().toISOString(), node: process.version, kernel: release(), cpu: cpus()[0]?.model, gapMs, runs, heapMiB: ballast.length, rows, missing, ratios }, null, 2)}\n`,
  )
