// SPDX-License-Identifier: Apache-2.0
// How long `podman run` takes as a whole over hutch-oci and over other runtimes: in turns, by medians of wall and CPU time.
// Podman has a storage, namespaces and a busybox root of its own. Needs root, podman, conmon, busybox, gcc and the runtimes.
//   node bench/podman.js [--runs N] [--others runc,crun] [--binary FILE] [--json FILE]
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { cpus, loadavg, release, tmpdir } from 'node:os'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '25' },
    others: { type: 'string', default: 'runc' },
    binary: { type: 'string', default: 'build/standalone/hutch' },
    json: { type: 'string' },
  },
})
/** Podman's group for its monitors stays in each hierarchy, with all CPUs: no other group can have one to itself then. */
const monitors = 'libpod_parent'
const groups = '/sys/fs/cgroup'
const findMonitors = () =>
  readdirSync(groups, { recursive: true })
    .filter((path) => path.endsWith(`/${monitors}`))
    .map((path) => `${groups}/${path}`)
const hadMonitors = findMonitors().length > 0
/** The greatest ratio of times that is aimed at. */
const aim = 0.9
const work = mkdtempSync(`${tmpdir()}/hutch-bench-podman-`)
copyFileSync(values.binary, `${work}/hutch`)
symlinkSync('hutch', `${work}/hutch-oci`)
mkdirSync(`${work}/rootfs/bin`, { recursive: true })
copyFileSync('/bin/busybox', `${work}/rootfs/bin/true`)
execFileSync('gcc', ['-O2', '-static', '-o', `${work}/turns`, new URL('turns.c', import.meta.url).pathname])

const runtimes = ['hutch-oci', ...values.others.split(',')]
const commands = runtimes.map((runtime) => [
  ...['podman', '--root', '/tmp/root', '--runroot', '/tmp/run', '--cgroup-manager', 'cgroupfs'],
  ...['--runtime', runtime === 'hutch-oci' ? '/session/hutch-oci' : runtime],
  ...['run', '--rm', '--net', 'none', '--log-driver', 'none', '--rootfs', '/session/rootfs', '/bin/true'],
])

// the callers' root of test/engines: this machine's, whose changes are discarded
const unshare = [values.binary, 'unshare', '-m', '-p', '-f', '-n', '-C', '-u', '-i', '--kill-child']
const keeper = spawn(unshare[0], [...unshare.slice(1), 'test/engines/enter', '/', work], {
  stdio: ['pipe', 'pipe', 'inherit'],
})
try {
  const [pid] = await once(keeper.stdout, 'data')
  const enter = ['-t', String(pid).trim(), '-a', '-r', '-w', '/session/turns', values.runs]
  const words = commands.flatMap((command, i) => [...(i ? [':::'] : []), ...command])
  const out = execFileSync('nsenter', [...enter, ...words], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
  const rows = out.trimEnd().split('\n')
  const figures = Object.fromEntries(runtimes.map((runtime, i) => [runtime, rows[i].split(' ').map(Number)]))
  console.log(
    `${execFileSync('podman', ['--version'], { encoding: 'utf8' }).trim()}; ${values.runs} each in turns; Linux ${release()}, ${cpus().length} × ${cpus()[0]?.model}, load ${loadavg()[0].toFixed(1)}`,
  )
  for (const [runtime, [wall, cpu]] of Object.entries(figures)) {
    const ratio = figures['hutch-oci'][0] / wall
    const verdict = runtime === 'hutch-oci' ? '' : `${ratio <= aim ? '✓' : '✗'} hutch-oci: ${ratio.toFixed(2)} of it`
    console.log(`podman run over ${runtime.padEnd(10)} ${wall} ms, ${cpu} ms of CPU  ${verdict}`.trimEnd())
  }
  if (values.json) writeFileSync(values.json, JSON.stringify({ runs: values.runs, figures }, null, 2))
} finally {
  keeper.stdin.end()
  if (keeper.exitCode === null) await once(keeper, 'close')
  rmSync(work, { recursive: true, force: true })
  if (!hadMonitors)
    for (const path of findMonitors().flatMap((group) => [`${group}/conmon`, group]))
      if (existsSync(path)) rmdirSync(path)
}
