// SPDX-License-Identifier: Apache-2.0
// What a sandbox costs a program that computes: the same work outside, inside `sandbox: true`, and with a filter alone, in turns.
//   node bench/work.js [--rounds N] [--json FILE]
// Each program says itself how long its work took, and how much CPU time, so that neither its start nor the sandbox's is counted.
// CPU time tells the cost where others use the machine, too.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, release, tmpdir } from 'node:os'
import { parseArgs } from 'node:util'
import { run } from '../dist/index.js'

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '15' }, json: { type: 'string' } } })
const work = mkdtempSync(`${tmpdir()}/hutch-bench-`)
process.on('exit', () => rmSync(work, { recursive: true, force: true }))

const programs = {
  'node: hashes and sorting': [
    'node',
    '-e',
    `const { createHash } = require('node:crypto')
const begun = process.hrtime.bigint()
const before = process.cpuUsage()
let text = 'x'
for (let i = 0; i < 150000; i++) text = createHash('sha256').update(text).digest('hex')
const numbers = Array.from({ length: 500000 }, (_, i) => (i * 7919) % 1000003)
numbers.sort((a, b) => a - b)
const { user, system } = process.cpuUsage(before)
console.log(Number(process.hrtime.bigint() - begun) / 1e6, (user + system) / 1e3)`,
  ],
  'python3: objects and arithmetic': [
    '/usr/bin/python3',
    '-c',
    `import time
begun, before = time.perf_counter(), time.process_time()
table = {}
for i in range(900000):
    table[i % 5003] = table.get(i % 5003, 0) + i * i % 7
sorted(table.values())
print((time.perf_counter() - begun) * 1000, (time.process_time() - before) * 1000)`,
  ],
  // processes, files and pipes as well as computing: what a build is
  'gcc: a program of 3,000 lines': [
    '/bin/bash',
    '-c',
    `cd /tmp && for i in $(seq 600); do printf 'int f%d(int a)\\n{\\n\\tint s = %d;\\n\\tfor (int i = 0; i < a; i++) s += i * s ^ a;\\n\\treturn s; }\\n' $i $i; done > work-$$.c
echo 'int main(void) { return 0; }' >> work-$$.c
TIMEFORMAT='%R %U %S'; said=$({ time gcc -O2 -o work-$$ work-$$.c; } 2>&1)
rm -f work-$$ work-$$.c; set -- $said; echo "$1"e3 $(( 10#\${2/./} + 10#\${3/./} ))`,
  ],
}

/** The same command in each: how it is run. */
const places = {
  outside: { isolate: 'none' },
  'seccomp strict': { isolate: 'none', seccomp: 'strict' },
  sandbox: { sandbox: true },
}

const samples = new Map()
for (let round = -1; round < Number(values.rounds); round++)
  for (const [name, [command, ...args]] of Object.entries(programs))
    for (const [place, options] of rotate(Object.entries(places), round + 1)) {
      const { stdout, stderr, status } = await run(command, args, options)
      if (status !== 0) throw new Error(`${name}, ${place}: ${status} ${stderr}`)
      const [wall, cpu] = stdout.split(' ').map(Number)
      if (round >= 0) samples.set(name, [...(samples.get(name) ?? []), { place, wall, cpu }])
    }

function rotate(list, by) {
  const at = by % list.length
  return [...list.slice(at), ...list.slice(0, at)]
}

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)]
const rows = [...samples].map(([name, all]) => {
  const of = (what) =>
    Object.fromEntries(
      Object.keys(places).map((place) => [
        place,
        median(all.filter((one) => one.place === place).map((one) => one[what])),
      ]),
    )
  const [wall, cpu] = [of('wall'), of('cpu')]
  return { name, wall, cpu, ratios: { wall: wall.sandbox / wall.outside, cpu: cpu.sandbox / cpu.outside } }
})

const column = (text) => String(text).padStart(16)
console.log(
  `medians of ${values.rounds}, ms: wall time (CPU time); Node ${process.version}, Linux ${release()}, ${cpus().length} × ${cpus()[0]?.model}`,
)
console.log(`${''.padEnd(34)}${Object.keys(places).map(column).join('')}`)
for (const { name, wall, cpu } of rows) {
  const cells = Object.keys(places).map((place) => column(`${wall[place].toFixed(0)} (${cpu[place].toFixed(0)})`))
  console.log(`${name.padEnd(34)}${cells.join('')}`)
}
for (const { name, ratios } of rows)
  for (const [what, ratio] of Object.entries(ratios))
    console.log(`${ratio <= 1.05 ? '✓' : '✗'} ${name}: ${what} ${ratio.toFixed(3)} of that outside (aim: at most 1.05)`)
if (values.json)
  writeFileSync(values.json, JSON.stringify({ date: new Date().toISOString(), kernel: release(), rows }, null, 2))
