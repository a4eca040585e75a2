// SPDX-License-Identifier: Apache-2.0
// Makes a group with the controllers it is to have, all or nothing; hands it to a user; removes it.

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
import { defaultParent, type Place, placeOf } from './group-paths.ts'
import { describeProcesses, isUnified, shortenList } from './group-state.ts'
import { explainMake, explainRemove, explainWrite } from './write-errors.ts'

/** What a group gets when nothing is said, where the host has it. */
const usualControllers = ['cpu', 'io', 'memory', 'pids'] as const

/** A v2 name → the v1 hierarchies that do its work. */
const legacyNames: { [controller: string]: string[] } = { io: ['blkio'], cpu: ['cpu', 'cpuacct'] }

/** Undoes one step. */
export type Undo = () => unknown

/**
 * Creates the group in the hierarchies of these controllers, in the v2 tree if there is one, and the missing groups above. If a step
 * fails, nothing is left. `moves`: processes of a group above that prevent this are moved to a leaf there. `needed`: controllers beside
 * the default ones.
 * @throws CGROUP_NOT_EVACUATED, CGROUP_CONTROLLER_MISSING, CGROUP_POPULATED, CGROUP_THREADED, CGROUP_REFUSED, CGROUP_WRITE_REFUSED
 */
export function makePlace(
  host: Host,
  place: Place,
  controllers?: readonly string[],
  moves = false,
  needed: readonly string[] = [],
): Place {
  const wanted = chooseHierarchies(host, place, controllers, needed)
  const directories = Object.fromEntries(wanted.keys.map((key) => [key, place.directories[key]!]))
  withUndo((undo) => {
    const done = new Set<string>()
    for (const [key, directory] of Object.entries(directories)) {
      if (done.has(directory)) continue
      done.add(directory)
      const mount = key === '' ? host.unified!.mount : host.v1[key]!.mount
      addLevels(mount, directory, key === '' ? wanted.unified : [], undo, moves)
    }
  })
  return { path: place.path, directories }
}

/** Which hierarchies the group goes into, and which controllers the v2 tree must hand down. */
function chooseHierarchies(
  host: Host,
  place: Place,
  controllers: readonly string[] | undefined,
  needed: readonly string[],
): { keys: string[]; unified: string[] } {
  // others than root can only hand on what they were given
  const source = host.unified && (host.uid === 0 ? host.unified.mount : nearestGroup(place.directories['']!))
  const available = source === undefined ? [] : readWords(source, 'cgroup.controllers')
  const keys = host.unified ? [''] : []
  const unified: string[] = []
  for (const name of new Set([...(controllers ?? usualControllers), ...needed])) {
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
  // what freezes is part of every group; on v2 each group can
  if (host.v1.freezer && !host.unified) keys.push('freezer')
  return { keys: [...new Set(keys)], unified }
}

/** Runs steps that note how each is undone; when one throws, all before it are undone, the last first. */
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
 * Makes a group and those above it that are missing in one hierarchy; on v2 each level hands the controllers on. How each step is
 * undone is noted in `undo`.
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

/** v1: a cpuset is born empty, and no process may enter it so. */
function fillCpuset(parent: string, directory: string): void {
  for (const file of ['cpuset.cpus', 'cpuset.mems'])
    if (readGroupFile(directory, file) === '' && !isUnified(directory))
      writeGroupFile(directory, file, readGroupFile(parent, file) ?? '0')
}

/**
 * Enables these controllers for the children of a v2 group. Refuses a group that has processes: for cpu and pids the kernel would make it
 * "domain threaded". No process could then be started below it.
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

/** Has processes that keep it from handing controllers on; the real root of a tree may have them. */
export function isPopulated(directory: string): boolean {
  return readGroupFile(directory, 'cgroup.type') !== undefined && readWords(directory, 'cgroup.procs').length > 0
}

/** @throws CGROUP_THREADED, CGROUP_POPULATED */
export function checkMayEnable(directory: string, controllers: readonly string[]): void {
  // only a tree's real root has no type, and it may have processes
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

/** Files that a delegatee writes, when the kernel does not list them (cgroup-v2.rst, "Delegation"). */
const delegatedFiles = ['cgroup.procs', 'cgroup.threads', 'cgroup.subtree_control']

/**
 * Gives a group to a user: its directory and the files that steer its subtree, but not its own limits.
 * @throws CGROUP_REFUSED
 */
export function delegatePlace(place: Place, uid: number, gid: number): void {
  const listed = readWords('/sys/kernel/cgroup', 'delegate')
  for (const directory of new Set(Object.values(place.directories))) {
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
 * Removes the group from every hierarchy it is in. A process that is just
 * ending keeps a group busy for a moment, so that is waited for.
 * @throws CGROUP_REFUSED
 */
export async function removePlace(place: Place, recursive: boolean): Promise<void> {
  const directories = [...new Set(Object.values(place.directories))].filter(isGroup)
  if (!recursive)
    for (const directory of directories) if (readChildren(directory).length > 0) throw explainRemove(directory, 'EBUSY')
  for (const directory of directories) await removeGroups(directory, recursive)
}

/** `hutch` at the root comes with its first group and goes with its last. */
export function removeDefaultParent(host: Host, place: Place): void {
  if (!place.path.startsWith(`/${defaultParent}/`)) return
  for (const directory of new Set(Object.values(placeOf(host, defaultParent).directories))) removeDirectory(directory)
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
