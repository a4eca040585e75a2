// SPDX-License-Identifier: Apache-2.0
// How long whole processes of the binary without Node take beside the tools they take the place of: in turns, by medians of wall
// and CPU time, in an environment of PATH and HOME alone. Needs root, runc, bubblewrap, util-linux and cgroup-tools.
//   node bench/standalone.js [--runs N] [--binary FILE] [--json FILE]
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release, tmpdir } from 'node:os'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '100' },
    binary: { type: 'string', default: 'build/standalone/hutch' },
    json: { type: 'string' },
  },
})
const work = mkdtempSync(`${tmpdir()}/hutch-standalone-bench-`)
const group = `hutch-bench-${process.pid}`
const hutch = `${work}/hutch`
copyFileSync(values.binary, hutch)
for (const tool of ['bwrap', 'unshare', 'cgexec', 'cgset']) symlinkSync(hutch, `${work}/${tool}`)
mkdirSync(`${work}/bundle/rootfs/bin`, { recursive: true })
copyFileSync('/bin/busybox', `${work}/bundle/rootfs/bin/true`)
for (const name of ['proc', 'sys', 'dev', 'tmp']) mkdirSync(`${work}/bundle/rootfs/${name}`)
execFileSync('runc', ['spec'], { cwd: `${work}/bundle` })
const config = JSON.parse(execFileSync('cat', [`${work}/bundle/config.json`], { encoding: 'utf8' }))
Object.assign(config.process, { terminal: false, args: ['/bin/true'] })
writeFileSync(`${work}/bundle/config.json`, JSON.stringify(config))
execFileSync('gcc', ['-O2', '-static', '-o', `${work}/turns`, new URL('turns.c', import.meta.url).pathname])

const bwrap = '--unshare-all --ro-bind / / --proc /proc --dev /dev true'
const root = `run --rootfs ${work}/bundle/rootfs --isolate all --cap-drop ALL --mount tmpfs:/tmp -- /bin/true`
const lines = {
  version: `${hutch} --version`,
  runcVersion: 'runc --version',
  run: `${hutch} run -- true`,
  sandbox: `${hutch} run --sandbox -- true`,
  bwrap: `bwrap ${bwrap}`,
  ownBwrap: `${work}/bwrap ${bwrap}`,
  limits: `${hutch} run --isolate none --memory 50M -- true`,
  cgexec: `cgexec -g memory:${group} true`,
  ownCgexec: `${work}/cgexec -g memory:${group} true`,
  cgset: `cgset -r memory.limit_in_bytes=50M ${group}`,
  ownCgset: `${work}/cgset -r memory.limit_in_bytes=50M ${group}`,
  four: `sh -c cgcreate\0-g\0memory:${group}b&&cgset\0-r\0memory.limit_in_bytes=50M\0${group}b&&cgexec\0-g\0memory:${group}b\0true&&cgdelete\0-g\0memory:${group}b`,
  unshare: 'unshare --pid --fork true',
  ownUnshare: `${work}/unshare --pid --fork true`,
  root: `${hutch} ${root.replace(' --mount tmpfs:/tmp', '')}`,
  runc: `runc run -b ${work}/bundle ${group}`,
}
const aims = [
  ['version', 'runcVersion', 0.7],
  ['run', 'bwrap', 1.2],
  ['sandbox', 'bwrap', 1.5],
  ['ownBwrap', 'bwrap', 1.2],
  ['ownUnshare', 'unshare', 1.8],
  ['ownCgexec', 'cgexec', 1.5],
  ['ownCgset', 'cgset', 1.5],
  ['limits', 'cgexec', 2.2],
  ['limits', 'four', 0.8],
  ['root', 'runc', 0.35],
]

try {
  execFileSync('cgcreate', ['-g', `memory:${group}`])
  const names = Object.keys(lines)
  const commands = names.flatMap((name, i) => [
    ...(i ? [':::'] : []),
    ...lines[name].split(' ').map((word) => word.replaceAll('\0', ' ').replaceAll('&&', ' && ')),
  ])
  const out = execFileSync(`${work}/turns`, [values.runs, ...commands], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const rows = Object.fromEntries(
    out
      .trimEnd()
      .split('\n')
      .map((line, i) => [names[i], line.split(' ').map(Number)]),
  )
  console.log(
    `${values.runs} each in turns; Linux ${release()}, ${cpus().length} × ${cpus()[0]?.model}, load ${loadavg()[0].toFixed(1)}`,
  )
  console.log(`${''.padEnd(14)}${['wall ms', 'CPU ms', 'KiB'].map((word) => word.padStart(9)).join('')}`)
  for (const name of names)
    console.log(`${name.padEnd(14)}${rows[name].map((value) => String(value).padStart(9)).join('')}`)
  for (const [ours, theirs, most] of aims) {
    const ratio = rows[ours][0] / rows[theirs][0]
    console.log(
      `${ratio <= most ? '✓' : '✗'} ${ours} ÷ ${theirs} = ${ratio.toFixed(2)} (aim: at most ${most}; by CPU time ${(rows[ours][1] / rows[theirs][1]).toFixed(2)})`,
    )
  }
  if (values.json) writeFileSync(values.json, JSON.stringify({ runs: values.runs, rows }, null, 2))
} finally {
  execFileSync('cgdelete', ['-g', `memory:${group}`])
  rmSync(work, { recursive: true, force: true })
}
