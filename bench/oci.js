// SPDX-License-Identifier: Apache-2.0
// How long the commands of the OCI runtime take beside those of others, as whole processes: in turns, by medians of wall and CPU
// time. All have the bundle that `spec` of the first one writes, with a root of busybox. Needs root, the runtimes, busybox and
// gcc, or turns.c as a program. crun refuses hosts with v1 groups: bench/native-oci and bench/vm-oci measure it, too.
//   node bench/oci.js [--runs N] [--others runc,crun] [--binary FILE] [--turns FILE] [--json FILE]
import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release, tmpdir } from 'node:os'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '50' },
    others: { type: 'string', default: 'runc' },
    binary: { type: 'string', default: 'build/standalone/hutch' },
    turns: { type: 'string' },
    json: { type: 'string' },
  },
})
const work = mkdtempSync(`${tmpdir()}/hutch-oci-bench-`)
copyFileSync(values.binary, `${work}/hutch`)
symlinkSync(`${work}/hutch`, `${work}/hutch-oci`)
for (const path of ['long', 'short', 'rootfs/bin', 'state']) mkdirSync(`${work}/${path}`, { recursive: true })
for (const name of ['sleep', 'true']) copyFileSync('/bin/busybox', `${work}/rootfs/bin/${name}`)
for (const name of ['proc', 'sys', 'dev']) mkdirSync(`${work}/rootfs/${name}`)
const others = values.others.split(',')
execFileSync(others[0], ['spec'], { cwd: work })
const config = JSON.parse(readFileSync(`${work}/config.json`, 'utf8'))
config.root.path = '../rootfs'
for (const [bundle, args] of Object.entries({ long: ['/bin/sleep', '1000'], short: ['/bin/true'] })) {
  Object.assign(config.process, { terminal: false, args })
  writeFileSync(`${work}/${bundle}/config.json`, JSON.stringify(config))
}
if (values.turns) copyFileSync(values.turns, `${work}/turns`)
else execFileSync('gcc', ['-O2', '-static', '-o', `${work}/turns`, new URL('turns.c', import.meta.url).pathname])

/** The commands of a container's life. `end` is not measured: it waits until the first process has ended. */
function lifeOf(runtime, program) {
  const id = `hutch-bench-${process.pid}-${runtime}`
  const call = (...words) => [program, '--root', `${work}/state/${runtime}`, ...words]
  const pidFile = `${work}/${runtime}.pid`
  return {
    create: call('create', '--bundle', `${work}/long`, '--pid-file', pidFile, id),
    start: call('start', id),
    state: call('state', id),
    exec: call('exec', id, '/bin/true'),
    kill: call('kill', id, 'KILL'),
    end: [
      'sh',
      '-c',
      `read -r pid <${pidFile}; while { read -r stat </proc/$pid/stat; } 2>&- && [ "\${stat#*') Z'}" = "$stat" ]; do :; done`,
    ],
    delete: call('delete', id),
    run: call('run', '--bundle', `${work}/short`, `${id}-run`),
  }
}

const programs = { hutch: `${work}/hutch-oci`, ...Object.fromEntries(others.map((name) => [name, name])) }
const lives = Object.fromEntries(Object.entries(programs).map(([name, program]) => [name, lifeOf(name, program)]))
const steps = Object.keys(lives.hutch)
/** For each other runtime: steps whose times are added, and the greatest ratio that is aimed at. */
const aims = {
  runc: [
    [['create', 'start', 'delete'], 0.4],
    [['exec'], 0.4],
    [['state'], 0.7],
    [['kill'], 0.7],
  ],
  crun: [
    [['create', 'start', 'delete'], 0.7],
    [['run'], 0.6],
  ],
}

try {
  const words = Object.values(lives).flatMap((life, i) =>
    steps.flatMap((step, k) => [...(k ? ['+++'] : i ? [':::'] : []), ...life[step]]),
  )
  const out = execFileSync(`${work}/turns`, [values.runs, ...words], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const rows = out
    .trimEnd()
    .split('\n')
    .map((line) => line.split(' ').map(Number))
  const figures = Object.fromEntries(
    Object.keys(lives).map((runtime, r) => [
      runtime,
      Object.fromEntries(steps.map((step, i) => [step, rows[r * steps.length + i]])),
    ]),
  )
  console.log(
    `${values.runs} each in turns; Linux ${release()}, ${cpus().length} × ${cpus()[0]?.model}, load ${loadavg()[0].toFixed(1)}`,
  )
  console.log(`${''.padEnd(14)}${['wall ms', 'CPU ms', 'KiB'].map((word) => word.padStart(9)).join('')}`)
  for (const step of steps.filter((step) => step !== 'end'))
    for (const runtime of Object.keys(lives))
      console.log(
        `${`${runtime} ${step}`.padEnd(14)}${figures[runtime][step].map((value) => String(value).padStart(9)).join('')}`,
      )
  const rowsOfAims = others.flatMap((other) => (aims[other] ?? []).map(([added, most]) => [other, added, most]))
  for (const [other, added, most] of rowsOfAims) {
    const total = (runtime, column) => added.reduce((sum, step) => sum + figures[runtime][step][column], 0)
    const ratio = (column) => total('hutch', column) / total(other, column)
    console.log(
      `${ratio(0) <= most ? '✓' : '✗'} ${added.join(' + ')}: ${ratio(0).toFixed(2)} of ${other} (aim: at most ${most}; by CPU time ${ratio(1).toFixed(2)})`,
    )
  }
  if (values.json) writeFileSync(values.json, JSON.stringify({ runs: values.runs, figures }, null, 2))
} finally {
  for (const { create, delete: remove } of Object.values(lives)) {
    const [program, ...global] = create.slice(0, 3)
    for (const id of [remove.at(-1), `${remove.at(-1)}-run`])
      spawnSync(program, [...global, 'delete', '--force', id], { stdio: 'ignore' })
  }
  rmSync(work, { recursive: true, force: true })
}
