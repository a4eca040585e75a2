// SPDX-License-Identifier: Apache-2.0
// The ground of a side-by-side run: groups of a shape, a process, files; what a command did to them; and all away again.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { readChildren, removeTree, walkGroups } from '../../src/cgroup/files.ts'
import { readHost } from '../../src/host/host.ts'
import { collect, type Ended, hutch } from '../cli/hutch.ts'
import type { Case } from './cases.ts'

const host = readHost()

/** Which version controllers are on here. */
export const version = host.v1.memory ? 'v1' : 'v2'

const mounts = [...new Set([host.unified?.mount, ...Object.values(host.v1).map((one) => one.mount)])].filter(
  (mount) => mount !== undefined,
)
const mountOf = (controller: string) => host.v1[controller]?.mount ?? host.unified!.mount

/** What one side did. */
export interface Outcome {
  status: number | null
  stdout: string
  state: { [group: string]: { [file: string]: string } }
}

let count = 0

/** Runs one case with a tool: `real`, or hutch's of the same name. */
export async function runCase(one: Case, real: boolean): Promise<Outcome & { stderr: string }> {
  const name = `hutch-test-${process.pid}-${++count}n`
  const directory = mkdtempSync(`${tmpdir()}/hutch-cgtools-`)
  const fill = (text: string) =>
    text
      .replaceAll('MAX', version === 'v1' ? 'memory.limit_in_bytes' : 'memory.max')
      .replaceAll(/\bG\b/g, name)
      .replaceAll(/\bD\b(?=\/|$)/g, directory)
      .replaceAll('PID', () => String(sleeper?.pid))
  let sleeper: ChildProcess | undefined
  try {
    for (const [group, controllers] of Object.entries(one.groups ?? {})) make(fill(group), controllers)
    for (const [file, value] of Object.entries(one.values ?? {})) writeValue(fill(file), value)
    for (const [file, text] of Object.entries(one.files ?? {})) writeFileSync(`${directory}/${file}`, fill(text))
    if (one.inside || one.argv.includes('PID')) sleeper = spawn('sleep', ['600'], { stdio: 'ignore' })
    for (const group of one.inside ?? [])
      for (const path of directoriesOf(fill(group))) writeFileSync(`${path}/cgroup.procs`, String(sleeper!.pid))
    const [tool = '', ...args] = one.argv.map(fill)
    const ended: Ended = real ? await collect(tool, args) : await hutch([tool, ...args])
    return {
      status: ended.status,
      stderr: ended.stderr,
      stdout: normalise(ended.stdout, name, directory, one),
      state: readState(name, sleeper?.pid),
    }
  } finally {
    if (sleeper) await new Promise((resolve) => sleeper!.on('close', resolve).kill('SIGKILL'))
    for (const mount of mounts)
      for (const group of readChildren(mount)) if (isOwn(group, name)) removeTree(`${mount}/${group}`)
    rmSync(directory, { recursive: true })
  }
}

const isOwn = (group: string, name: string) => new RegExp(`(^|nosuch-)${name}(-|$)`).test(group)

function make(group: string, controllers: string[]): void {
  for (const controller of controllers) {
    const mount = mountOf(controller)
    let at = mount
    for (const part of group.split('/')) {
      if (version === 'v2') writeFileSync(`${at}/cgroup.subtree_control`, `+${controller}`)
      at = `${at}/${part}`
      mkdirSync(at, { recursive: true })
    }
    if (controller === 'cpuset' && version === 'v1')
      for (const file of ['cpuset.mems', 'cpuset.cpus'])
        writeFileSync(`${at}/${file}`, readFileSync(`${mount}/${file}`, 'utf8'))
  }
}

function writeValue(path: string, value: string): void {
  const file = path.slice(path.lastIndexOf('/') + 1)
  writeFileSync(`${mountOf(file.slice(0, file.indexOf('.')))}/${path}`, value)
}

function directoriesOf(group: string): string[] {
  return mounts.map((mount) => `${mount}/${group}`).filter((path) => statSync(path, { throwIfNoEntry: false }))
}

/** Names of groups, directories and figures that move by themselves are made alike; libcgroup's own messages are no result. */
function normalise(text: string, name: string, directory: string, { ownLines, argv }: Case): string {
  let lines = text
    .replaceAll(name, 'G')
    .replaceAll(directory, 'D')
    .split('\n')
    .filter((line) => !/^Error: |wrong mode format|^cannot read group/.test(line))
  if (ownLines && argv[0] === 'lscgroup') lines = lines.filter((line) => /[/:]G/.test(line)).sort()
  if (ownLines && argv[0] === 'cgsnapshot')
    lines = lines
      .join('\n')
      .split(/(?<=^\}\n\n)/m)
      .filter((block) => !block.startsWith('group ') || /^group G\b/.test(block))
      // in the kernel's order, which goes by hashes of the names
      .sort((a, b) => (a.startsWith('#') || a < b ? -1 : 1))
      .join('')
      .split('\n')
  return lines
    .map((line) =>
      line
        .replace(/^(memory\.\S*(?:usage\S*|current|peak|stat|numa_stat|events\S*)|cpu\.stat): .*/, '$1: …')
        .replace(/^(\t?\w+) \d+$/, '$1 …'),
    )
    .join('\n')
}

/** Groups of that name in all hierarchies: owner, mode, and of each file too, with what settings hold. */
function readState(name: string, pid: number | undefined): Outcome['state'] {
  const state: Outcome['state'] = {}
  for (const mount of mounts)
    for (const top of readChildren(mount).filter((group) => isOwn(group, name)))
      for (const path of walkGroups(`${mount}/${top}`)) {
        const files: { [file: string]: string } = { '.': permissions(path) }
        for (const file of readdirSync(path, { withFileTypes: true })) {
          if (!file.isFile()) continue
          files[file.name] = `${permissions(`${path}/${file.name}`)} ${settingOf(path, file.name, pid)}`
        }
        state[path.replaceAll(name, 'G')] = files
      }
  return state
}

function permissions(path: string): string {
  const { mode, uid, gid } = statSync(path)
  return `${(mode & 0o7777).toString(8)} ${uid}:${gid}`
}

function settingOf(path: string, file: string, pid: number | undefined): string {
  if (file === 'cgroup.procs')
    return readFileSync(`${path}/${file}`, 'utf8').split('\n').includes(String(pid)) ? 'the process' : 'empty'
  const setting =
    /^(pids\.max|memory\.(max|high|low|swap\.max|limit_in_bytes|soft_limit_in_bytes|memsw\.limit_in_bytes)|cpu\.(weight|max|shares|cfs_\w+)|cpuset\.(cpus|mems)|cgroup\.subtree_control|notify_on_release)$/
  return setting.test(file) ? readFileSync(`${path}/${file}`, 'utf8').trim() : ''
}
