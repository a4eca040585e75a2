// SPDX-License-Identifier: Apache-2.0
// What bench/launch.js compares: each contender starts a program once and resolves when its end is known.
import { spawn, spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createPool, start } from '../dist/index.js'

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
export function busyboxRoot(directory) {
  const root = `${directory}/root`
  mkdirSync(`${root}/bin`, { recursive: true })
  for (const name of ['proc', 'sys', 'dev', 'tmp']) mkdirSync(`${root}/${name}`, { recursive: true })
  copyFileSync('/bin/busybox', `${root}/bin/true`)
  return root
}

export const kinds = ['pid', 'mount', 'ipc', 'uts', 'net', 'cgroup', 'user', 'time']
/** What the floor makes for the same as below, but for the groups. */
const everything = [...kinds, 'init', 'lo', 'tmp', 'proc', 'covers', 'sys', 'dev', 'pts', 'shm', 'mqueue']

/** All eight namespaces, a root of its own with /proc, /dev and /tmp, no capabilities, limits. The peers filter no system calls. */
function rooted(rootfs, seccomp = 'none') {
  const options = {
    seccomp,
    limits,
    isolate: kinds,
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
  return spawned('unshare', [
    ...kinds.map((kind) => `--${kind}`),
    '--fork',
    '--map-root-user',
    '--root',
    root,
    '--mount-proc',
    '/bin/true',
  ])
}

function sandboxed(program) {
  return async () => {
    const { status } = await (await start(program, [], { sandbox: true, stdio: 'ignore' })).result
    if (status !== 0) throw new Error(`hutch: status ${status}`)
  }
}

/** The same from a pool: timed by itself, since the next one is launched before the others have their turn. */
async function pooled(program) {
  const pool = await createPool({ size: 4, plan: { sandbox: true } })
  const run = async () => {
    const before = performance.now()
    const { status } = await pool.run([program], { stdio: 'ignore' })
    const took = performance.now() - before
    if (status !== 0) throw new Error(`hutch: status ${status}`)
    while (pool.stats().waiting < pool.stats().size) await sleep(1)
    return took
  }
  return { run, close: () => pool.close() }
}

/** What hutch's sandbox closes, as far as bubblewrap does: no filter, no limits. */
function bwrapSandboxed(program) {
  const reads = ['/usr', '/bin', '/sbin', '/lib', '/lib64', '/etc', '/opt'].filter(existsSync)
  const mounts = reads.flatMap((path) => ['--ro-bind', path, path])
  const rest = ['--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp', '--chdir', '/tmp', '--hostname', 'sandbox']
  const rights = ['--cap-drop', 'ALL', '--clearenv', '--setenv', 'PATH', '/usr/bin:/bin', '--die-with-parent']
  return spawned('bwrap', ['--unshare-all', ...mounts, ...rest, ...rights, program])
}

function firejailed(program) {
  const rights = ['--caps.drop=all', '--nonewprivs', '--seccomp', '--net=none', '--private-tmp', '--private-dev']
  return spawned('firejail', ['--quiet', '--noprofile', ...rights, program])
}

export function buildFloor(directory) {
  const sources = ['floor.c', '../native/lib/clone.c'].map((name) => fileURLToPath(new URL(name, import.meta.url)))
  const built = spawnSync('gcc', ['-O2', '-static', '-D_GNU_SOURCE', '-o', `${directory}/floor`, ...sources])
  if (built.status !== 0) throw new Error(`gcc: ${built.stderr}`)
}

/** A C program that is told when to start one, with what around it, and answers with its own figure. */
export function floor(program, directory, what = []) {
  if (!existsSync(`${directory}/floor`)) buildFloor(directory)
  const child = spawn(`${directory}/floor`, [program, ...what], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  return {
    run: async () => {
      child.stdin.write('go\n')
      const { value, done } = await lines.next()
      if (done) throw new Error(`the floor ended: ${what.join(' ')}`)
      return Number(value) / 1000
    },
    close: () => child.stdin.end(),
  }
}

/** A bundle whose root has one static program, as runc and crun want it; `all`: with every mount of theirs, a /tmp and no capabilities. */
export function bundle(directory, runtime, all = false) {
  const path = `${directory}/${runtime}${all ? '-all' : ''}`
  mkdirSync(`${path}/rootfs/bin`, { recursive: true })
  mkdirSync(`${path}/rootfs/proc`)
  copyFileSync('/bin/busybox', `${path}/rootfs/bin/true`)
  const { status, stderr } = spawnSync(runtime, ['spec'], { cwd: path })
  if (status !== 0) throw new Error(String(stderr))
  const config = JSON.parse(readFileSync(`${path}/config.json`, 'utf8'))
  config.process.terminal = false
  config.process.args = ['/bin/true']
  config.linux.resources = { memory: { limit: 50 * 2 ** 20 }, pids: { limit: 20 } }
  if (all) {
    config.mounts.push({ destination: '/tmp', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'nodev', 'noexec'] })
    config.process.capabilities = {}
  } else config.mounts = config.mounts.filter((mount) => mount.destination === '/proc')
  writeFileSync(`${path}/config.json`, JSON.stringify(config))
  return path
}

function oci(runtime, directory, all = false) {
  const path = bundle(directory, runtime, all)
  let n = 0
  return () => spawned(runtime, ['run', '--bundle', path, `bench-${process.pid}-${n++}`])()
}

function cgexec(program) {
  const group = `memory,pids:bench-hutch-${process.pid}`
  const made = spawnSync('cgcreate', ['-g', group])
  if (made.status !== 0) throw new Error(String(made.error ?? made.stderr).trim())
  const run = spawned('cgexec', ['-g', group, program])
  const remove = (controller) => {
    const one = `${controller}:bench-hutch-${process.pid}`
    // the last process may still be leaving the group; on v2 both controllers are in the same group
    for (let tries = 0; tries < 50 && spawnSync('cgdelete', ['-g', one]).status !== 0; tries++) {
      if (spawnSync('cgget', ['-g', one]).status !== 0) return
      spawnSync('sleep', ['0.02'])
    }
  }
  // each by itself: cgdelete stops at the first hierarchy that has lost the group already
  const close = () => ['memory', 'pids'].forEach(remove)
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
    sandbox: ['hutch, sandbox', () => sandboxed(program)],
    pool: ['hutch, sandbox from a pool', () => pooled(program)],
    bwrapsandbox: ['spawn(bwrap), much of the same', () => bwrapSandboxed(program)],
    firejail: ['spawn(firejail), some of the same', () => firejailed(program)],
    rootfloor: [
      'C: the same by system calls alone',
      () => floor('/bin/true', directory, [...everything, `root=${busyboxRoot(directory)}`]),
    ],
    runcroot: ['spawn(runc run), all but user and time', () => oci('runc', directory, true)],
    crunroot: ['spawn(crun run), all but user and time', () => oci('crun', directory, true)],
    runc: ['spawn(runc run)', () => oci('runc', directory)],
    crun: ['spawn(crun run)', () => oci('crun', directory)],
  }
  const contenders = []
  const missing = []
  for (const [key, [name, make]] of Object.entries(makers)) {
    if (only && !only.includes(key)) continue
    try {
      const made = await make()
      const contender = typeof made === 'function' ? { run: made, close() {} } : made
      await contender.run()
      contenders.push({ key, name, ...contender })
    } catch (error) {
      missing.push({ key, name, why: String(error.message ?? error).split('\n')[0] })
    }
  }
  const close = async () => {
    for (const contender of contenders) await contender.close()
    rmSync(directory, { recursive: true, force: true })
  }
  return { contenders, missing, close }
}
