// SPDX-License-Identifier: Apache-2.0
// Finds the group below which a job's groups go, in one hierarchy: the caller's own, unless another is named or the own one cannot have any.
import { accessSync, constants, readFileSync } from 'node:fs'
import { type Host, withoutLeaf } from './host.ts'
import { type OuterLimit, readOuterLimits } from './outer-limits.ts'

/** The state of that group: see plan/plan.ts, which decides by it. */
export interface Parent {
  directory: string
  exists: boolean
  /** Where it does not exist: the levels that have to be made, the first one first. */
  missing: string[]
  /** Groups can be made in it; where it does not exist, it can be made. */
  writable: boolean
  /** v2: the controllers that its children could use, once enabled in every level of `chain`. */
  available: string[]
  /** v2: the levels from the root down to this group, with what each hands to its children. */
  chain: { directory: string; enabled: string[] }[]
  /** v2: cgroup.type; undefined in a root. */
  type: string | undefined
  /** v2: whether processes are in it (the root may have them), and which. */
  processes: string[]
  /** v1 cpuset: its own cpus and mems. */
  inherit?: { [file: string]: string }
  /** Named by the caller, who is not in it: a job joins it also where no limit asks for the hierarchy. */
  joined?: boolean
  /** Limits of groups that this process is in and a job here would not be in, the nearest first. */
  outer: OuterLimit[]
}

/** What decides which group it is. */
export interface ParentChoice {
  /** Names one, relative to the mount. */
  path?: string | undefined
  /** Its children get controllers: on v2 no group with processes of its own can hand any on. */
  controlled?: boolean
  /** Processes in the own group are moved out of the way. */
  evacuate?: boolean | undefined
}

/** Reads that group's state. `controller` '' is the v2 tree. */
export function readParent(
  host: Host,
  controller: string,
  { path, controlled = true, evacuate }: ParentChoice = {},
): Parent {
  const { mount, own } = controller === '' ? host.unified! : host.v1[controller]!
  const home = controller === '' ? host.home : undefined
  const { directory, outer } =
    path !== undefined
      ? { directory: path === '' ? mount : `${mount}/${path}`, outer: [] }
      : home !== undefined
        ? { directory: home, outer: host.outer ?? [] }
        : controller !== '' || host.layout !== 'v2' || evacuate
          ? { directory: withoutLeaf(own), outer: [] }
          : nearestParent(mount, withoutLeaf(own), host.uid, controlled)
  // levels above a home are another's, systemd's for one, and hand down what they want
  const top = path === undefined && home ? home : host.uid === 0 ? mount : directory
  const exists = allows(`${directory}/cgroup.procs`, constants.F_OK)
  const missing = exists ? [] : levels(mount, directory).filter((level) => !allows(level, constants.F_OK))
  const parent: Parent = {
    directory,
    exists,
    missing,
    writable: takesGroups(exists ? directory : (missing[0] ?? directory).replace(/\/[^/]*$/, '')),
    available: [],
    chain: [],
    type: undefined,
    processes: [],
    outer,
  }
  if (controller === 'cpuset') {
    const source = exists ? directory : nearestGroup(directory)
    parent.inherit = { 'cpuset.cpus': line(source, 'cpuset.cpus'), 'cpuset.mems': line(source, 'cpuset.mems') }
  }
  if (controller !== '') return parent
  const type = line(directory, 'cgroup.type')
  return {
    ...parent,
    available: words(home === undefined ? top : nearestGroup(top), 'cgroup.controllers'),
    chain: levels(top, directory).map((level) => ({
      directory: level,
      enabled: words(level, 'cgroup.subtree_control'),
    })),
    type: type === '' ? undefined : type,
    processes: type === '' ? [] : words(directory, 'cgroup.procs'),
  }
}

/**
 * v2: the own group where groups with the controllers can be made in it: the tree's root, or a group without processes.
 * Else the nearest above it, with the limits that a job there leaves behind. A job that needs no controllers stays in the own group.
 */
function nearestParent(
  mount: string,
  own: string,
  uid: number,
  controlled: boolean,
): { directory: string; outer: OuterLimit[] } {
  const inside = { directory: own, outer: [] }
  if (!controlled || own === mount || !hasProcesses(own)) return inside
  const above = levels(mount, own).slice(0, -1)
  // root enables controllers from the tree's root down, others in a group of theirs
  const populated = above.findIndex(hasProcesses)
  const directory =
    uid === 0
      ? above.slice(0, populated < 0 ? above.length : populated).at(-1)
      : above.findLast((level) => takesGroups(level) && !hasProcesses(level))
  if (directory === undefined) return inside
  return { directory, outer: readOuterLimits(own, directory) }
}

/** Of its own, which only a tree's root may have beside controlled children. */
function hasProcesses(directory: string): boolean {
  return line(directory, 'cgroup.type') !== '' && line(directory, 'cgroup.procs') !== ''
}

/** Root, too, is refused in a container with a read-only file system. */
function takesGroups(directory: string): boolean {
  return allows(directory, constants.W_OK) && allows(`${directory}/cgroup.procs`, constants.W_OK)
}

/** True where `own` is `directory` or below it. */
export function isWithin(own: string, directory: string): boolean {
  return own === directory || own.startsWith(`${directory}/`)
}

/** The group itself, else the nearest above it that exists: one that is yet to be made will have what that has. */
export function nearestGroup(directory: string): string {
  return directory === '' || allows(`${directory}/cgroup.procs`, constants.F_OK)
    ? directory
    : nearestGroup(directory.slice(0, directory.lastIndexOf('/')))
}

/** Both ends included. */
function levels(from: string, to: string): string[] {
  const out = [from]
  for (const part of to.slice(from.length).split('/').filter(Boolean)) out.push(`${out.at(-1)}/${part}`)
  return out
}

function allows(path: string, mode: number): boolean {
  try {
    accessSync(path, mode)
    return true
  } catch {
    return false
  }
}

function line(directory: string, file: string): string {
  try {
    return readFileSync(`${directory}/${file}`, 'utf8').trim()
  } catch {
    return ''
  }
}

function words(directory: string, file: string): string[] {
  return line(directory, file).split(/\s+/).filter(Boolean)
}
