// SPDX-License-Identifier: Apache-2.0
// Creates a group with its controllers, all or nothing; delegates it to a user; removes it. Called by group.ts, snapshot.ts,
// rules/ and the drop-ins.

import { fail } from '../errors/errors.ts'
import type { Host } from '../host/host.ts'
import { nearestGroup } from '../host/parent-group.ts'
import { pause } from '../system/clock.ts'
import { evacuate } from './evacuate.ts'
import {
  changeOwner,
  isGroup,
  makeDirectory,
  readChildren,
  readGroupFile,
  readWords,
  removeDirectory,
  writeGroupFile,
} from './files.ts'
import { defaultParent, type GroupPaths, groupPathsOf } from './group-paths.ts'
import { describeProcesses, isUnified, shortenList } from './group-state.ts'
import { explainMake, explainRemove, explainWrite } from './write-errors.ts'

/** Controllers of a new group for which no controllers are named, if the host has them. */
const defaultControllers = ['cpu', 'io', 'memory', 'pids'] as const

/** v1 controllers that together correspond to a v2 controller. */
const legacyNames: { [controller: string]: string[] } = { io: ['blkio'], cpu: ['cpu', 'cpuacct'] }

/** Undoes one step. */
export type Undo = () => unknown

/**
 * Creates a group in the hierarchies of its controllers and in the v2 tree, with missing ancestors. If a step fails, everything created is
 * removed. With `moves`, processes in an ancestor that prevent enabling controllers are moved to a child group of that ancestor. `needed`
 * are controllers that the group gets in addition to the default ones.
 *
 * @throws CGROUP_NOT_EVACUATED, CGROUP_CONTROLLER_MISSING, CGROUP_POPULATED, CGROUP_THREADED, CGROUP_REFUSED, CGROUP_WRITE_REFUSED
 */
export function createGroup(
  host: Host,
  paths: GroupPaths,
  controllers?: readonly string[],
  moves = false,
  needed: readonly string[] = [],
): GroupPaths {
  const wanted = chooseHierarchies(host, paths, controllers, needed)
  const directories = Object.fromEntries(wanted.keys.map((key) => [key, paths.directories[key]!]))
  withUndo((undo) => {
    const done = new Set<string>()
    for (const [key, directory] of Object.entries(directories)) {
      if (done.has(directory)) continue
      done.add(directory)
      const mount = key === '' ? host.unified!.mount : host.v1[key]!.mount
      addLevels(mount, directory, key === '' ? wanted.unified : [], undo, moves)
    }
  })
  return { path: paths.path, directories }
}

/** Returns the hierarchies in which to create the group, and the controllers to enable for it in the v2 tree. */
function chooseHierarchies(
  host: Host,
  paths: GroupPaths,
  controllers: readonly string[] | undefined,
  needed: readonly string[],
): { keys: string[]; unified: string[] } {
  // without root, only controllers that were delegated are available
  const source = host.unified && (host.uid === 0 ? host.unified.mount : nearestGroup(paths.directories['']!))
  const available = source === undefined ? [] : readWords(source, 'cgroup.controllers')
  const keys = host.unified ? [''] : []
  const unified: string[] = []
  for (const name of new Set([...(controllers ?? defaultControllers), ...needed])) {
    const legacy = (host.v1[name] ? [name] : (legacyNames[name] ?? [])).filter((one) => host.v1[one])
    if (available.includes(name)) unified.push(name)
    else if (legacy.length > 0) keys.push(...legacy, ...(name === 'cpu' && host.v1.cpuacct ? ['cpuacct'] : []))
    else if (controllers || needed.includes(name))
      throw fail('CGROUP_CONTROLLER_MISSING', {
        controller: name,
        origin: `the controller ${name}`,
        where: host.layout === 'v2' ? source! : 'this host',
        available: [...available, ...Object.keys(host.v1)].join(', '),
      })
  }
  // every v2 group can be frozen; a v1 group only in the hierarchy of the freezer
  if (host.v1.freezer && !host.unified) keys.push('freezer')
  return { keys: [...new Set(keys)], unified }
}

/** Runs steps that record how to undo them. If one throws, undoes all recorded steps in reverse order. */
export function withUndo(steps: (undo: Undo[]) => void): void {
  const undo: Undo[] = []
  try {
    steps(undo)
  } catch (error) {
    for (const step of undo.reverse()) step()
    throw error
  }
}

/**
 * Creates a group and its missing ancestors in one hierarchy. On v2, enables the controllers at each level. Records in `undo` how to undo
 * each step.
 *
 * @throws CGROUP_POPULATED, CGROUP_THREADED, CGROUP_REFUSED, CGROUP_WRITE_REFUSED
 */
export function addLevels(
  mount: string,
  directory: string,
  controllers: readonly string[],
  undo: Undo[],
  moves = false,
): void {
  let at = mount
  for (const part of directory.slice(mount.length).split('/').filter(Boolean)) {
    enableControllers(at, controllers, undo, moves)
    const below = `${at}/${part}`
    const errno = makeDirectory(below)
    if (errno !== undefined && errno !== 'EEXIST') throw explainMake(below, errno)
    if (errno === undefined) {
      undo.push(() => removeDirectory(below))
      fillCpuset(at, below)
    }
    at = below
  }
}

/** Copies CPUs and memory nodes from the parent to a v1 group: no process can join an empty cpuset. */
function fillCpuset(parent: string, directory: string): void {
  for (const file of ['cpuset.cpus', 'cpuset.mems'])
    if (readGroupFile(directory, file) === '' && !isUnified(directory))
      writeGroupFile(directory, file, readGroupFile(parent, file) ?? '0')
}

/**
 * Enables controllers for the children of a v2 group. Refuses a group that contains processes. With cpu or pids, the kernel would make such
 * a group "domain threaded", and no process could be started below it.
 */
export function enableControllers(
  directory: string,
  controllers: readonly string[],
  undo: Undo[] = [],
  moves = false,
): void {
  const enabled = readWords(directory, 'cgroup.subtree_control')
  const missing = controllers.filter((name) => !enabled.includes(name))
  if (missing.length === 0) return
  if (moves && isPopulated(directory)) evacuate(directory)
  checkMayEnable(directory, missing)
  const value = missing.map((name) => `+${name}`).join(' ')
  const errno = writeGroupFile(directory, 'cgroup.subtree_control', value)
  if (errno !== undefined) throw explainWrite({ directory, file: 'cgroup.subtree_control', value, errno })
  undo.push(() => writeGroupFile(directory, 'cgroup.subtree_control', value.replaceAll('+', '-')))
}

/**
 * Returns true if the group contains processes, which prevent enabling controllers. Returns false for the real root of a v2 tree, which may
 * have processes and controlled children.
 */
export function isPopulated(directory: string): boolean {
  return readGroupFile(directory, 'cgroup.type') !== undefined && readWords(directory, 'cgroup.procs').length > 0
}

/** Checks that controllers can be enabled for a group's children. @throws CGROUP_THREADED, CGROUP_POPULATED */
export function checkMayEnable(directory: string, controllers: readonly string[]): void {
  // only the real root of a v2 tree has no cgroup.type, and it may contain processes
  const type = readGroupFile(directory, 'cgroup.type')
  if (type === undefined) return
  if (type !== 'domain' && type !== 'domain threaded') throw fail('CGROUP_THREADED', { directory, type })
  const processes = describeProcesses(directory)
  if (processes.length > 0)
    throw fail('CGROUP_POPULATED', {
      directory,
      controllers: controllers.join(', '),
      processes: shortenList(processes),
    })
}

/** Files that a user with a delegated group may write, if the kernel does not list them (cgroup-v2.rst, "Delegation"). */
const delegatedFiles = ['cgroup.procs', 'cgroup.threads', 'cgroup.subtree_control']

/**
 * Delegates a group to a user: its directory and the files that control its subtree, but not its own limits.
 *
 * @throws CGROUP_REFUSED
 */
export function delegateGroup(paths: GroupPaths, uid: number, gid: number): void {
  const listed = readWords('/sys/kernel/cgroup', 'delegate')
  for (const directory of new Set(Object.values(paths.directories))) {
    const files = isUnified(directory) ? (listed.length > 0 ? listed : delegatedFiles) : ['cgroup.procs', 'tasks']
    for (const path of [directory, ...files.map((file) => `${directory}/${file}`)]) {
      const errno = changeOwner(path, uid, gid)
      if (errno !== undefined && errno !== 'ENOENT')
        throw fail('CGROUP_REFUSED', {
          what: `give to user ${uid}`,
          path,
          errno,
          remedy: errno === 'EROFS' ? 'the cgroup file system is read-only here' : 'run as root',
        })
    }
  }
}

/**
 * Removes the group from every hierarchy. Waits briefly if the group is busy, because an ending process still counts for a moment.
 *
 * @throws CGROUP_REFUSED
 */
export async function removeGroup(paths: GroupPaths, recursive: boolean): Promise<void> {
  const directories = [...new Set(Object.values(paths.directories))].filter(isGroup)
  if (!recursive)
    for (const directory of directories) if (readChildren(directory).length > 0) throw explainRemove(directory, 'EBUSY')
  for (const directory of directories) await removeGroups(directory, recursive)
}

/** Removes the group `hutch` at the root if it has no child left. hutch creates it with its first child. */
export function removeDefaultParent(host: Host, paths: GroupPaths): void {
  if (!paths.path.startsWith(`/${defaultParent}/`)) return
  for (const directory of new Set(Object.values(groupPathsOf(host, defaultParent).directories)))
    removeDirectory(directory)
}

async function removeGroups(directory: string, recursive: boolean): Promise<void> {
  if (recursive) for (const child of readChildren(directory)) await removeGroups(`${directory}/${child}`, true)
  for (let tries = 0; ; tries++) {
    const errno = removeDirectory(directory)
    if (errno === undefined || errno === 'ENOENT') return
    const ending =
      errno === 'EBUSY' && readChildren(directory).length === 0 && describeProcesses(directory).length === 0
    if (!ending || tries === 200) throw explainRemove(directory, errno)
    await pause(tries < 10 ? 1 : 25)
  }
}
