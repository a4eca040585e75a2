// SPDX-License-Identifier: Apache-2.0
// Compares the starts of two builds of hutch in one process: pairs in ABBA turns, and the median of the paired ratios with
// its 95 % interval (order statistics, so no distribution is assumed).
//   node bench/pairs.js OTHER_CHECKOUT [--pairs N] [--only KEY,KEY] [--json FILE]
// The ratio is this checkout ÷ the other one: 1.05 means that this one takes 5 % longer.
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, release, tmpdir } from 'node:os'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { pairs: { type: 'string', default: '1000' }, only: { type: 'string' }, json: { type: 'string' } },
})
if (positionals.length !== 1) throw new Error('usage: node bench/pairs.js OTHER_CHECKOUT [--pairs N] [--only KEY,KEY]')
const pairs = Number(values.pairs)
const here = await import('../dist/index.js')
const other = await import(`${resolve(positionals[0])}/dist/index.js`)

const work = mkdtempSync(`${tmpdir()}/hutch-pairs-`)
const rootfs = `${work}/rootfs`
for (const directory of ['bin', 'proc', 'sys', 'dev', 'tmp']) mkdirSync(`${rootfs}/${directory}`, { recursive: true })
copyFileSync('/bin/busybox', `${rootfs}/bin/true`)

const limits = { memory: '50M', pids: 20 }
const kinds = {
  limits: { limits, isolate: 'none' },
  namespaces: { limits, isolate: ['pid', 'mount', 'ipc', 'uts', 'cgroup'] },
  sandbox: { sandbox: true },
  root: { limits, isolate: 'all', rootfs },
}
const asked = values.only?.split(',') ?? Object.keys(kinds)

async function time(library, options) {
  const before = performance.now()
  const job = await library.start('/bin/true', [], { ...options, stdio: 'ignore' })
  const { status, stderr } = await job.result
  if (status !== 0) throw new Error(`status ${status} ${stderr ?? ''}`)
  return performance.now() - before
}

/** ABBA: what comes second in one pair comes first in the next. */
async function measure(options) {
  const ours = []
  const theirs = []
  for (let pair = -10; pair < pairs; pair++) {
    const order = pair % 2 === 0 ? [here, other] : [other, here]
    for (const library of order) {
      const took = await time(library, options)
      if (pair >= 0) (library === here ? ours : theirs).push(took)
    }
  }
  return { ours, theirs }
}

const sorted = (list) => [...list].sort((a, b) => a - b)
const median = (list) => sorted(list)[Math.floor(list.length / 2)]

function summary(key, { ours, theirs }) {
  const ratios = sorted(ours.map((took, i) => took / theirs[i]))
  const half = 0.98 * Math.sqrt(ratios.length)
  const middle = ratios.length / 2
  const at = (place) => ratios[Math.max(0, Math.min(ratios.length - 1, Math.round(place)))]
  return {
    key,
    ours: median(ours),
    theirs: median(theirs),
    ratio: median(ratios),
    low: at(middle - half),
    high: at(middle + half),
  }
}

const rows = []
try {
  console.log(
    `${pairs} pairs each; ms; Node ${process.version}, Linux ${release()}, ${cpus().length} × ${cpus()[0]?.model}`,
  )
  console.log(`${''.padEnd(12)}${'here'.padStart(8)}${'other'.padStart(8)}${'ratio'.padStart(8)}   95 % interval`)
  for (const key of asked) {
    const row = summary(key, await measure(kinds[key]))
    rows.push(row)
    const columns = [row.ours, row.theirs, row.ratio].map((value) => value.toFixed(3).padStart(8)).join('')
    console.log(`${key.padEnd(12)}${columns}   ${row.low.toFixed(3)} to ${row.high.toFixed(3)}`)
  }
} finally {
  rmSync(work, { recursive: true, force: true })
}
if (values.json)
  writeFileSync(values.json, `${JSON.stringify({ date: new Date().toISOString(), pairs, rows }, null, 2)}\n`)
