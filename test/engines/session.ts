// SPDX-License-Identifier: Apache-2.0
// A session: the root with the callers (make-root), entered by `hutch unshare` in namespaces and control groups of its own (enter),
// with one runtime in it as /session/bin/NAME. Nothing of a session is left on the host after close().
import { type ChildProcess, execFileSync, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { readWords, removeDirectory, walkGroups } from '../../src/cgroup/files.ts'
import { parseNamedHierarchies } from '../../src/host/hierarchy.ts'
import { readHost, readMembership } from '../../src/host/host.ts'
import { hutchCommand } from '../support/command.ts'
import { compile } from '../support/compile.ts'
import type { Need } from '../support/requires.ts'
import { groupIn, isV2 } from './limits.ts'
import { collectRecords } from './records.ts'
import type { Runtime } from './runtimes.ts'

export interface Outcome {
  status: number
  stdout: string
  stderr: string
}

export interface RunOptions {
  /** Standard input; /dev/null otherwise. */
  input?: string
  /** With a terminal as stdin, stdout and stderr. */
  terminal?: boolean
  env?: Record<string, string>
  /** Milliseconds; 60000 by default, more in a VM. */
  timeout?: number
}

const environment = {
  PATH: '/session/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  LANG: 'C.UTF-8',
  PODMAN_IGNORE_CGROUPSV1_WARNING: '1',
}

/** The Debian whose callers run; `here`: those of this machine. */
export const suite = process.env.ENGINES ?? 'bookworm'

/** What a machine whose own callers run must have. */
const ofMachine = ['busybox', '/usr/bin/podman', '/usr/bin/conmon', '/usr/bin/containerd', 'CNI plugins'] as const

/** What the callers need of the machine. Their own root has the rest. */
export const needs: readonly Need[] = ['root', ...(suite === 'here' ? ofMachine : [])]

/** Whether systemd makes the containers' groups, as the callers' configuration says. Else the runtime itself makes them. */
export const bySystemd = process.env.CGROUP_MANAGER === 'systemd'

/** Name of the process that is PID 1 for the callers. */
export const firstProcess = bySystemd ? 'systemd' : 'enter'

/** Calls of the runtime are recorded, and made fixtures of by records.ts. */
const recording = process.env.RECORD === '1'
let sessions = 0
const slowness = process.env.VM ? 5 : 1

/** The callers, and the commands that print their versions. */
const versions = {
  podman: ['podman', '--version'],
  ctr: ['containerd', '--version'],
  cri: ['containerd', '--version'],
  docker: ['dockerd', '--version'],
  buildah: ['buildah', '--version'],
  slurm: ['slurmctld', '-V'],
}
export type Caller = keyof typeof versions

export class Session {
  /** On the host; /session inside. */
  readonly directory: string
  readonly runtime: Runtime
  readonly #caller: Caller
  readonly #keeper: ChildProcess
  readonly #pid: string
  readonly #groups: string[]
  readonly #running = new Set<Promise<unknown>>()

  constructor(
    caller: Caller,
    runtime: Runtime,
    directory: string,
    keeper: ChildProcess,
    pid: string,
    groups: string[],
  ) {
    this.#caller = caller
    this.runtime = runtime
    this.directory = directory
    this.#keeper = keeper
    this.#pid = pid
    this.#groups = groups
  }

  /** Where the hierarchies of control groups are mounted, in the session as on the host. */
  get hierarchies(): string[] {
    const { unified, v1 } = readHost()
    return [...new Set([...Object.values(v1), ...(unified ? [unified] : [])].map(({ mount }) => mount))]
  }

  /** The runtime as the callers' configuration names it. */
  get program(): string {
    return `/session/bin/${this.runtime.name}`
  }

  /** A file of the root, as the host sees it. */
  path(inside: string): string {
    return `/proc/${this.#pid}/root${inside}`
  }

  read(inside: string): string {
    return readFileSync(this.path(inside), 'utf8')
  }

  write(inside: string, text: string): void {
    mkdirSync(this.path(inside.slice(0, inside.lastIndexOf('/'))), { recursive: true })
    writeFileSync(this.path(inside), text)
  }

  /** Returns the ids, on the host, of all processes in the session. */
  processes(): number[] {
    return walkGroups(this.#groups[0]!).flatMap((group) => readWords(group, 'cgroup.procs').map(Number))
  }

  /** Starts a command in the root. */
  spawn(words: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const enter = ['nsenter', '-t', this.#pid, '-a', '-r', '-w']
    const child = spawn('sh', joining(this.#groups, [...enter, ...words]), {
      ...options,
      env: { ...environment, ...options.env },
    })
    this.#running.add(once(child, 'close').catch(() => {}))
    return child
  }

  /** Runs a command in the root to its end. */
  async run(
    words: readonly string[],
    { input, terminal, env = {}, timeout = 60_000 * slowness }: RunOptions = {},
  ): Promise<Outcome> {
    const quoted = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ')
    const command = terminal ? ['script', '-qefc', quoted, '/dev/null'] : words
    // at the end of its input script(1) writes an end of file to the terminal
    const stdin = input === undefined && !terminal ? 'ignore' : 'pipe'
    const child = this.spawn(command, { stdio: [stdin, 'pipe', 'pipe'], env })
    child.stdin?.on('error', () => {})
    if (input !== undefined) child.stdin!.end(input)
    const texts = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const)
      child[name]!.setEncoding('utf8').on('data', (text: string) => {
        texts[name] += text
      })
    const late = setTimeout(() => {
      texts.stderr += `(killed after ${timeout} ms)`
      child.kill('SIGKILL')
      child.stdout!.destroy()
      child.stderr!.destroy()
    }, timeout)
    const [status] = await once(child, 'close')
    clearTimeout(late)
    return { status: status ?? 128, ...texts }
  }

  /** Runs a command that must end with 0, and returns its output without the last line's end. */
  async output(words: readonly string[], options?: RunOptions): Promise<string> {
    const { status, stdout, stderr } = await this.run(words, options)
    if (status !== 0) throw new Error(`${words.join(' ')}: status ${status}\n${stdout}${stderr}`)
    return stdout.trimEnd()
  }

  /** Starts a daemon, and waits until `ready` is a command that ends with 0. Its output goes to /session/NAME.log. */
  async daemon(words: readonly string[], ready: readonly string[]): Promise<void> {
    const log = `/session/${words[0]}.log`
    const child = this.spawn(['sh', '-c', `exec "$@" >${log} 2>&1`, 'sh', ...words], { stdio: 'ignore' })
    for (const end = Date.now() + 60_000 * slowness; ; await pause(50)) {
      if ((await this.run(ready)).status === 0) return
      if (child.exitCode !== null || Date.now() > end) throw new Error(`${words[0]} is not ready:\n${this.read(log)}`)
    }
  }

  /** Reads until the text is as wanted, for at most 20 s (longer in a VM), and returns what was read last. */
  async until(read: () => Promise<string> | string, wanted: RegExp): Promise<string> {
    for (const end = Date.now() + 20_000 * slowness; ; await pause(20)) {
      const text = await read()
      if (wanted.test(text) || Date.now() > end) return text
    }
  }

  /** Reads a file of a group: `groups` are the lines of a process's /proc/PID/cgroup, the controller is empty for the v2 tree. */
  groupFile(controller: string, groups: string, file: string): string {
    return this.read(`/sys/fs/cgroup/${controller}${groupIn(groups, controller)}/${file}`).trimEnd()
  }

  /** Ends what runs in the session, and removes it. A second call has no effect. */
  async close(): Promise<void> {
    if (this.#keeper.stdin!.writableEnded) return
    const version = recording ? await this.output(versions[this.#caller]) : ''
    const ended = once(this.#keeper, 'close')
    this.#keeper.stdin!.end()
    await ended
    if (bySystemd) await this.#killAll()
    await Promise.all(this.#running)
    if (recording)
      collectRecords(
        suite === 'bookworm' ? this.#caller : `${this.#caller}-${suite}`,
        version,
        `${this.directory}/records`,
      )
    for (const group of this.#groups) for (const one of walkGroups(group).reverse()) removeDirectory(one)
    rmSync(this.directory, { recursive: true, force: true })
  }

  /** Ends what runs in the session's groups, where no pid namespace does. */
  async #killAll(): Promise<void> {
    for (const group of this.#groups) {
      writeFileSync(`${group}/cgroup.kill`, '1')
      while (/^populated 1$/m.test(readFileSync(`${group}/cgroup.events`, 'utf8'))) await pause(20)
    }
  }
}

/** Arguments of sh for a command that runs in these groups. */
function joining(groups: readonly string[], words: readonly string[]): string[] {
  const script = 'while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs" || exit 125; shift; done; shift; exec "$@"'
  return ['-c', script, 'sh', ...groups, '--', ...words]
}

/** Gives a v1 group of cpuset the processors of the group above it. */
export function copyProcessors(above: string, group: string): void {
  for (const file of ['cpuset.cpus', 'cpuset.mems'])
    if (existsSync(`${group}/${file}`)) writeFileSync(`${group}/${file}`, readFileSync(`${above}/${file}`))
}

/** Lets the groups below a v2 group have all its controllers. */
export function delegate(group: string): void {
  for (const controller of readFileSync(`${group}/cgroup.controllers`, 'utf8').trim().split(' '))
    if (controller) writeFileSync(`${group}/cgroup.subtree_control`, `+${controller}`)
}

/** Makes a group for the session in each hierarchy. */
function makeGroups(): string[] {
  const { unified, v1 } = readHost()
  const named = parseNamedHierarchies(readFileSync('/proc/self/mountinfo', 'utf8'), readMembership('self'))
  const parents = [...Object.values(v1), ...named.values()].map(({ own }) => own)
  const name = `hutch-test-${process.pid}-engines-${sessions}`
  const groups = [...new Set(parents)].map((parent) => {
    mkdirSync(`${parent}/${name}`)
    copyProcessors(parent, `${parent}/${name}`)
    return `${parent}/${name}`
  })
  if (!unified) return groups
  // callers look whether their own group has files of memory: systemd delegates to this process's group, which has processes
  const parent = bySystemd ? unified.mount : unified.own
  const group = `${parent}/${name}`
  if (isV2 && !bySystemd) delegate(parent)
  mkdirSync(group)
  return [...groups, group]
}

/** A runtime that is not in the root is copied, and is `hutch` in the session, too. */
function provideRuntime({ name, program, inRoot }: Runtime, directory: string): void {
  mkdirSync(`${directory}/bin`)
  let real = program
  if (!inRoot) {
    mkdirSync(`${directory}/lib`)
    copyFileSync(program, `${directory}/lib/hutch`)
    symlinkSync('hutch', `${directory}/lib/${name}`)
    symlinkSync('/session/lib/hutch', `${directory}/bin/hutch`)
    real = `/session/lib/${name}`
  }
  if (!recording) {
    symlinkSync(real, `${directory}/bin/${name}`)
    return
  }
  mkdirSync(`${directory}/records`)
  const defines = [`-DRUNTIME="${real}"`, '-DLOG="/session/records"']
  compile(`${directory}/bin/${name}`, ['test/engines/programs/record.c'], ['-static', ...defines])
}

/** Prepares a session, which is closed if that fails. */
export async function prepared<T>(session: Session, prepare: () => Promise<T>): Promise<T> {
  try {
    return await prepare()
  } catch (error) {
    await session.close()
    throw error
  }
}

/** systemd knows processes by their pids, and groups by their paths, in its own namespaces. */
const kinds = bySystemd ? ['-m', '-n', '-u', '-i'] : ['-m', '-p', '-f', '-n', '-C', '-u', '-i', '--kill-child']

/** Enters the callers' root. The first call on a machine makes the root, which takes a minute. */
export async function openSession(caller: Caller, runtime: Runtime): Promise<Session> {
  const root = suite === 'here' ? '/' : execFileSync('test/engines/make-root', [suite], { encoding: 'utf8' }).trim()
  const directory = mkdtempSync(`${tmpdir()}/hutch-test-${process.pid}-engines-`)
  sessions++
  provideRuntime(runtime, directory)
  const groups = makeGroups()
  const unshare = [...hutchCommand, 'unshare', ...kinds]
  const keeper = spawn('sh', joining(groups, [...unshare, 'test/engines/enter', root, directory]), {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const [pid] = await Promise.race([once(keeper.stdout!, 'data'), once(keeper, 'close')])
  if (typeof pid === 'number') throw new Error(`the callers' root cannot be entered: status ${pid}`)
  return new Session(caller, runtime, directory, keeper, String(pid).trim(), groups)
}
