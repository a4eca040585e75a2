// SPDX-License-Identifier: Apache-2.0
// How large a recording of a day gets, and what a look and a minute's write cost: simulated groups whose figures wander as real ones do.
//   node bench/record.js [--groups N] [--hours H] [--busy SHARE] [--json FILE]
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'

const { values } = parseArgs({
  options: {
    groups: { type: 'string', default: '200' },
    hours: { type: 'string', default: '24' },
    busy: { type: 'string', default: '0.5' },
    json: { type: 'string' },
  },
})
const [groups, hours, busy] = [values.groups, values.hours, values.busy].map(Number)
const directory = mkdtempSync(`${import.meta.dirname}/../build/bench-record-`)
process.on('exit', () => rmSync(directory, { recursive: true, force: true }))

// the recorder is in no public bundle
await build({
  entryPoints: [`${import.meta.dirname}/../src/monitor/recording/recorder.ts`],
  bundle: true,
  platform: 'node',
  format: 'esm',
  external: ['node-sqlite3-wasm'],
  outfile: `${directory}/recorder.mjs`,
  logLevel: 'warning',
})
const { openRecorder } = await import(`${directory}/recorder.mjs`)

let seed = 1
/** The same at every run: xorshift. */
function random() {
  seed ^= seed << 13
  seed ^= seed >>> 17
  seed ^= seed << 5
  return (seed >>> 0) / 2 ** 32
}
const about = (n) => Math.floor(n * (0.5 + random()))

function idleGroup() {
  const stall = () => ({ some: { avg10: 0, totalUsec: about(1e6) }, full: { avg10: 0, totalUsec: about(1e5) } })
  return {
    populated: true,
    frozen: false,
    cpuUsec: about(1e9),
    userUsec: about(6e8),
    systemUsec: about(4e8),
    periods: about(1e5),
    throttledPeriods: about(100),
    throttledUsec: about(1e6),
    cpuMax: 'max',
    memory: about(2e8),
    memoryMax: 2 ** 29,
    memoryPeak: 4e8,
    workingSet: about(1e8),
    anon: about(8e7),
    file: about(1e8),
    swap: 0,
    swapMax: 'max',
    oomKills: 0,
    pids: about(20),
    pidsMax: 'max',
    io: { '8:0': { readBytes: about(1e9), writtenBytes: about(1e9), reads: about(1e5), writes: about(1e5) } },
    cpuPressure: stall(),
    memoryPressure: stall(),
    ioPressure: stall(),
  }
}

/** One second on: CPU time every time, memory and pressure most times, I/O now and then. */
function wander(group, load) {
  const user = Math.floor(load * 1e6 * random())
  const system = Math.floor(load * 4e5 * random())
  const pages = Math.floor((random() - 0.5) * 400) * 4096
  const memory = Math.max(2 ** 22, group.memory + pages)
  const io = group.io['8:0']
  const written = random() < 0.3 ? Math.floor(random() * 64) : 0
  const stall = ({ some, full }, chance) => {
    const waited = random() < chance ? Math.floor(random() * 20_000) : 0
    const avg10 = Math.round((some.avg10 * 0.8 + (waited / 1e4) * 0.2) * 100) / 100
    return {
      some: { avg10, totalUsec: some.totalUsec + waited },
      full: { avg10: Math.round(avg10 * 50) / 100, totalUsec: full.totalUsec + (waited >> 1) },
    }
  }
  return {
    ...group,
    cpuUsec: group.cpuUsec + user + system,
    userUsec: group.userUsec + user,
    systemUsec: group.systemUsec + system,
    periods: group.periods + 10,
    memory,
    memoryPeak: Math.max(group.memoryPeak, memory),
    workingSet: Math.max(0, group.workingSet + pages),
    anon: random() < 0.7 ? Math.max(0, group.anon + pages) : group.anon,
    file: random() < 0.3 ? Math.max(0, group.file + pages) : group.file,
    pids: random() < 0.1 ? about(20) : group.pids,
    io: written
      ? { '8:0': { ...io, writtenBytes: io.writtenBytes + written * 4096, writes: io.writes + written } }
      : group.io,
    cpuPressure: stall(group.cpuPressure, 0.6),
    memoryPressure: random() < 0.1 ? stall(group.memoryPressure, 0.5) : group.memoryPressure,
    ioPressure: random() < 0.2 ? stall(group.ioPressure, 0.5) : group.ioPressure,
  }
}

const file = `${directory}/day.db`
const recorder = await openRecorder(file, { interval: 1000, keep: 86_400_000, size: 2 ** 31 })
const now = new Map(Array.from({ length: groups }, (_, i) => [`/system.slice/service-${i}.service`, idleGroup()]))
const loads = [...now.keys()].map((_, i) => (i < groups * busy ? random() : 0))
const looks = hours * 3600
const start = 1_700_000_000_000
const writes = []
let spent = 0
for (let look = 0; look < looks; look++) {
  let i = 0
  for (const [path, group] of now) {
    const load = loads[i++]
    // the rest does something once in half a minute
    if (load > 0 || random() < 1 / 30) now.set(path, wander(group, load || 0.01))
  }
  const snapshot = { time: start + look * 1000 + Math.floor(random() * 3), groups: new Map(now) }
  const before = process.cpuUsage()
  recorder.add(snapshot)
  const { user, system } = process.cpuUsage(before)
  spent += user + system
  if (user + system > 2000) writes.push((user + system) / 1000)
}
recorder.close()
writes.sort((a, b) => a - b)
const result = {
  groups,
  hours,
  busy,
  mib: statSync(file).size / 2 ** 20,
  cpuMsPerLook: spent / 1000 / looks,
  writeMs: { median: writes[writes.length >> 1], most: writes.at(-1) },
}
console.log(`${cpus()[0].model}, Node ${process.version}`)
console.log(
  `${groups} groups, ${Math.round(busy * 100)} % of them busy, ${hours} h at 1 s: ${result.mib.toFixed(1)} MiB`,
)
console.log(
  `CPU time: ${result.cpuMsPerLook.toFixed(2)} ms a look, writes counted; a write ${result.writeMs.median?.toFixed(0)} ms, the longest ${result.writeMs.most?.toFixed(0)}`,
)
if (values.json) writeFileSync(values.json, `${JSON.stringify(result, null, 2)}\n`)
