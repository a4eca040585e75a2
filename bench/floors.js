// SPDX-License-Identifier: Apache-2.0
// A start by hutch beside its floor: the same program of operations, run by system calls alone (bench/program.c), in ABBA turns.
//   node bench/floors.js [--pairs N] [--only KEY,KEY] [--json FILE]
//   node bench/floors.js --calls [--only KEY]: the system calls of one start of each kind, by strace, and what hutch makes beyond its floor
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, release, tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { start } from '../dist/index.js'
import { busyboxRoot, kinds } from './contenders.js'
import { buildProgram, loadPlanner, programFloor } from './programs.js'

const { values } = parseArgs({
  options: {
    pairs: { type: 'string', default: '400' },
    only: { type: 'string' },
    calls: { type: 'boolean', default: false },
    one: { type: 'string' },
    json: { type: 'string' },
  },
})
const directory = mkdtempSync(`${tmpdir()}/hutch-floors-`)
const limits = { memory: '50M', pids: 20 }
const rootfs = busyboxRoot(directory)
const mounts = [{ tmpfs: '/tmp' }]
/** Each kind of start: its options, and the aim for its ratio to the floor. */
const rows = {
  limits: [{ limits, isolate: 'none' }, 1.5],
  namespaces: [{ limits, isolate: ['pid', 'mount', 'ipc', 'uts', 'cgroup'] }, 1.5],
  root: [{ limits, isolate: kinds, rootfs, mounts, seccomp: 'none', capDrop: 'ALL' }, 1.3],
  sandbox: [{ sandbox: true }, 1.3],
}
const asked = values.only?.split(',') ?? Object.keys(rows)

async function hutch(options) {
  const before = performance.now()
  const { status } = await (await start('/bin/true', [], { ...options, stdio: 'ignore' })).result
  if (status !== 0) throw new Error(`hutch: status ${status}`)
  return performance.now() - before
}

const sorted = (list) => [...list].sort((a, b) => a - b)
const at = (list, quantile) => sorted(list)[Math.floor(list.length * quantile)]
const median = (list) => at(list, 0.5)

async function measure(key, binary, encode) {
  const [options, aim] = rows[key]
  const floor = programFloor(binary, await encode('/bin/true', options), `${directory}/${key}.program`)
  const ours = []
  const floors = []
  for (let pair = -10; pair < Number(values.pairs); pair++)
    for (const first of pair % 2 === 0 ? [true, false] : [false, true]) {
      const ms = await (first ? hutch(options) : floor.run())
      if (pair >= 0) (first ? ours : floors).push(ms)
    }
  floor.close()
  const ratios = sorted(ours.map((ms, i) => ms / floors[i]))
  const fastest = { floor: at(floors, 0.1), hutch: at(ours, 0.1) }
  return { key, floor: median(floors), hutch: median(ours), ratio: median(ratios), fastest, aim }
}

async function times() {
  const binary = buildProgram(directory)
  const encode = await loadPlanner()
  console.log(
    `${values.pairs} pairs of /bin/true each; medians and fastest tenths in ms; Node ${process.version}, Linux ${release()}, ${cpus().length} × ${cpus()[0]?.model}`,
  )
  const heads = ['floor', 'hutch', 'ratio', 'p10', 'p10', 'ratio', 'aim']
  console.log(`${''.padEnd(14)}${heads.map((word) => word.padStart(8)).join('')}`)
  const all = []
  for (const key of asked) {
    const row = await measure(key, binary, encode)
    all.push(row)
    const { floor, hutch } = row.fastest
    const figures = [row.floor, row.hutch, row.ratio, floor, hutch, hutch / floor]
    const columns = figures.map((value) => value.toFixed(3).padStart(8)).join('')
    console.log(`${key.padEnd(14)}${columns}${String(row.aim).padStart(8)} ${row.ratio <= row.aim ? '✓' : '✗'}`)
  }
  if (values.json)
    writeFileSync(values.json, `${JSON.stringify({ date: new Date().toISOString(), rows: all }, null, 2)}\n`)
}

/** Counts the calls between the two marks of a record of strace. */
function counted(file) {
  const counts = {}
  let on = false
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    if (line.includes('/hutch-mark')) on = !on
    else if (on) {
      const name = /^\d+ +(?:<\.\.\. )?(\w+)[ (]/.exec(line)?.[1]
      if (name && !line.includes('resumed>')) counts[name] = (counts[name] ?? 0) + 1
    }
  }
  return counts
}

function traced(args) {
  const file = `${directory}/strace`
  const { status, stderr } = spawnSync('strace', ['-f', '-qq', '-e', 'signal=none', '-o', file, ...args])
  if (status !== 0) throw new Error(`strace: ${stderr}`)
  return counted(file)
}

async function calls() {
  const binary = buildProgram(directory)
  const encode = await loadPlanner()
  const { accessible } = { accessible: fileURLToPath(import.meta.url) }
  for (const key of asked) {
    writeFileSync(`${directory}/${key}.program`, await encode('/bin/true', rows[key][0]))
    const floor = traced([binary, `${directory}/${key}.program`, 'once'])
    const ours = traced([process.execPath, accessible, '--one', key])
    const names = [...new Set([...Object.keys(floor), ...Object.keys(ours)])]
    const more = names
      .map((name) => [name, floor[name] ?? 0, ours[name] ?? 0])
      .sort((a, b) => b[2] - b[1] - (a[2] - a[1]))
    const sum = (at) => more.reduce((total, row) => total + row[at], 0)
    console.log(`${key}: floor ${sum(1)} calls, hutch ${sum(2)}`)
    console.log(
      more
        .filter(([, a, b]) => a !== b)
        .map(([name, a, b]) => `  ${name} ${a} → ${b}`)
        .join('\n'),
    )
  }
}

/** One start for strace, after some that warm up. */
async function one(key) {
  const mark = () => readOnly('/hutch-mark')
  for (let i = 0; i < 10; i++) await hutch(rows[key][0])
  mark()
  await hutch(rows[key][0])
  mark()
}

function readOnly(path) {
  try {
    readFileSync(path)
  } catch {
    // only the name is needed, in the record of strace
  }
}

try {
  await (values.one ? one(values.one) : values.calls ? calls() : times())
} finally {
  rmSync(directory, { recursive: true, force: true })
}
