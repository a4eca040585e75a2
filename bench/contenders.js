// SPDX-License-Identifier: Apache-2.0
// What bench/launch.js compares: each contender starts a program once and resolves when its end is known.
import { spawn, spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { start } from '../dist/index.js'

const limits = { memory: '50M', pids: 20 }

/** child_process.spawn of a command, its end awaited. */
function spawned(command, args) {
  return () =>
    new Promise((resolve, reject) => {
      const child = spawn(command, args, { stdio: 'ignore' })
      child.once('error', reject)
      child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${command} exited with ${code}`))))
    })
}

function contained(program, isolate) {
  return async () => {
    const { status } = await (await start(program, [], { limits, isolate, stdio: 'ignore' })).result
    if (status !== 0) throw new Error(`hutch: status ${status}`)
  }
}

/** A root with one static program, as small as one can be. */
function busyboxRoot(directory) {
  const root = `${directory}/root`
  mkdirSync(`${root}/bin`, { recursive: true })
  for (const name of ['proc', 'sys', 'dev', 'tmp']) mkdirSync(`${root}/${name}`, { recursive: true })
  copyFileSync('/bin/busybox', `${root}/bin/true`)
  return root
}

/** All eight namespaces, a root of its own with /proc, /dev and /tmp, no capabilities, limits. The peers filter no system calls. */
function rooted(rootfs, seccomp = 'none') {
  const options = {
    seccomp,
    limits,
    isolate: ['pid', 'mount', 'ipc', 'uts', 'net', 'cgroup', 'user', 'time'],
    rootfs,
    mounts: [{ tmpfs: '/tmp' }],
    capDrop: 'ALL',
    stdio: 'ignore',
  }
  return async () => {
    const { status } = await (await start('/bin/true', [], options)).result
    if (status !== 0) throw new Error(`hutch: status ${status}`)
  }
}

function bwrapRooted(root) {
  const mounts = ['--bind', root, '/', '--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp']
  return spawned('bwrap', ['--unshare-all', '--cap-drop', 'ALL', ...mounts, '/bin/true'])
}

function unshareRooted(root) {
  const kinds = ['mount', 'uts', 'ipc', 'net', 'pid', 'user', 'cgroup', 'time'].map((kind) => `--${kind}`)
  return spawned('unshare', [...kinds, '--fork', '--map-root-user', '--root', root, '--mount-proc', '/bin/true'])
}

/** A C program that is told when to start one, and answers with its own figure. */
function floor(program, directory) {
  const source = fileURLToPath(new URL('floor.c', import.meta.url))
  const built = spawnSync('gcc', ['-O2', '-D_GNU_SOURCE', '-o', `${directory}/floor`, source])
  if (built.status !== 0) throw new Error(`gcc: ${built.stderr}`)
  const child = spawn(`${directory}/floor`, [program], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  return {
    run: async () => {
      child.stdin.write('go\n')
      const { value } = await lines.next()
      return Number(value) / 1000
    },
    close: () => child.stdin.end(),
  }
}

/** A bundle whose root has one static program, as runc and crun want it. */
export function bundle(directory, runtime) {
  const path = `${directory}/${runtime}`
  mkdirSync(`${path}/rootfs/bin`, { recursive: true })
  mkdirSync(`${path}/rootfs/proc`)
  copyFileSync('/bin/busybox', `${path}/rootfs/bin/true`)
  const { status, stderr } = spawnSync(runtime, ['spec'], { cwd: path })
  if (status !== 0) throw new Error(String(stderr))
  const config = JSON.parse(readFileSync(`${path}/config.json`, 'utf8'))
  config.process.terminal = false
  config.process.args = ['/bin/true']
  config.linux.resources = { memory: { limit: 50 * 2 ** 20 }, pids: { limit: 20 } }
  config.mounts = config.mounts.filter((mount) => mount.destination === '/proc')
  writeFileSync(`${path}/config.json`, JSON.stringify(config))
  return path
}

function oci(runtime, directory) {
  const path = bundle(directory, runtime)
  let n = 0
  return () => spawned(runtime, ['run', '--bundle', path, `bench-${process.pid}-${n++}`])()
}

function cgexec(program) {
  const group = `memory,pids:bench-hutch-${process.pid}`
  const made = spawnSync('cgcreate', ['-g', group])
  if (made.status !== 0) throw new Error(String(made.error ?? made.stderr).trim())
  const run = spawned('cgexec', ['-g', group, program])
  // the last one may still be on its way out of the group
  const close = () => {
    for (let tries = 0; tries < 50 && spawnSync('cgdelete', ['-g', group]).status !== 0; tries++)
      spawnSync('sleep', ['0.02'])
  }
  return { run, close }
}

/** All contenders that work here, and why the others do not. `close` removes what they needed. */
export async function makeContenders(program, only) {
  const directory = mkdtempSync(`${tmpdir()}/hutch-bench-`)
  const makers = {
    floor: ['C: clone, exec, wait', () => floor(program, directory)],
    spawn: ['child_process.spawn, bare', () => spawned(program, [])],
    limits: ['hutch, limits only', () => contained(program, 'none')],
    hutch: [
      'hutch, pid mount ipc uts cgroup, limits',
      () => contained(program, ['pid', 'mount', 'ipc', 'uts', 'cgroup']),
    ],
    net: ['hutch, net too', () => contained(program, 'all')],
    unshare: [
      'spawn(unshare --pid --fork --mount-proc)',
      () => spawned('unshare', ['--pid', '--fork', '--mount-proc', program]),
    ],
    cgexec: ['spawn(cgexec)', () => cgexec(program)],
    bwrap: [
      'spawn(bwrap --unshare-all)',
      () => spawned('bwrap', ['--unshare-all', '--ro-bind', '/', '/', '--proc', '/proc', '--dev', '/dev', program]),
    ],
    root: ['hutch, all eight, busybox root, no caps', () => rooted(busyboxRoot(directory))],
    filtered: ['hutch, the same, its default filter', () => rooted(busyboxRoot(directory), 'default')],
    bwraproot: ['spawn(bwrap), the same', () => bwrapRooted(busyboxRoot(directory))],
    unshareroot: ['spawn(unshare), the same namespaces', () => unshareRooted(busyboxRoot(directory))],
    runc: ['spawn(runc run)', () => oci('runc', directory)],
    crun: ['spawn(crun run)', () => oci('crun', directory)],
  }
  const contenders = []
  const missing = []
  for (const [key, [name, make]] of Object.entries(makers)) {
    if (only && !only.includes(key)) continue
    try {
      const made = make()
      const contender = typeof made === 'function' ? { run: made, close() {} } : made
      await contender.run()
      contenders.push({ key, name, ...contender })
    } catch (error) {
      missing.push({ key, name, why: String(error.message ?? error).split('\n')[0] })
    }
  }
  const close = () => {
    for (const contender of contenders) contender.close()
    rmSync(directory, { recursive: true, force: true })
  }
  return { contenders, missing, close }
}
