// SPDX-License-Identifier: Apache-2.0
// Finds the parent of a job's groups in a hierarchy: the caller's group, unless another is named or the caller's cannot have children.
import { fileConstants, readFileSync } from '../system/files.ts'
import { accessSync } from '../system/native.ts'
import { type Host, withoutLeaf } from './host.ts'
import { type OuterLimit, readOuterLimits } from './outer-limits.ts'

/** The state of the parent group. plan/plan.ts decides by it. */
export interface Parent {
  directory: string
  exists: boolean
  /** The levels to create, topmost first, if the group does not exist. */
  missing: string[]
  /** Children can be created in the group or, if it does not exist, the group can be created. */
  writable: boolean
  /** v2: the controllers that children can use after they are enabled in each level of `chain`. */
  available: string[]
  /** v2: the levels from the root to this group, with the controllers that each enables for its children. */
  levels: { directory: string; enabled: string[] }[]
  /** v2: cgroup.type. Undefined for a root. */
  type: string | undefined
  /** v2: the processes in the group. Only a root may have processes beside controlled children. */
  processes: string[]
  /** v1 cpuset: the group's own cpus and mems. */
  inherit?: { [file: string]: string }
  /** The caller named this group and is not in it. A job then joins it even if no limit needs the hierarchy. */
  joined?: boolean
  /** Limits of groups that contain this process but not a job below this group, nearest first. */
  outer: OuterLimit[]
}

/** The inputs that decide on the group. */
interface ParentChoice {
  /** The path of a named group, relative to the mount. */
  path?: string | undefined
  /** The children need controllers. A v2 group with processes cannot enable controllers for children. */
  controlled?: boolean
  /** Processes in the caller's group are moved to a leaf first. */
  evacuate?: boolean | undefined
}

/** Reads the parent group's state. `controller` '' is the v2 tree. */
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
  // levels above `home` belong to others, such as systemd, which decide what they delegate
  const top = path === undefined && home ? home : host.uid === 0 ? mount : directory
  const exists = allows(`${directory}/cgroup.procs`, fileConstants.F_OK)
  const missing = exists ? [] : levels(mount, directory).filter((level) => !allows(level, fileConstants.F_OK))
  const parent: Parent = {
    directory,
    exists,
    missing,
    writable: takesGroups(exists ? directory : (missing[0] ?? directory).replace(/\/[^/]*$/, '')),
    available: [],
    levels: [],
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
    levels: levels(top, directory).map((level) => ({
      directory: level,
      enabled: words(level, 'cgroup.subtree_control'),
    })),
    type: type === '' ? undefined : type,
    processes: type === '' ? [] : words(directory, 'cgroup.procs'),
  }
}

/**
 * v2: returns the caller's group if it can have children with controllers: the tree's root, or a group without processes.
 * Otherwise returns the nearest such ancestor, with the limits that a job there escapes. A job without controllers stays in the caller's group.
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
  // root enables controllers from the tree's root down, other users below a group of their own
  const populated = above.findIndex(hasProcesses)
  const directory =
    uid === 0
      ? above.slice(0, populated < 0 ? above.length : populated).at(-1)
      : above.findLast((level) => takesGroups(level) && !hasProcesses(level))
  if (directory === undefined) return inside
  return { directory, outer: readOuterLimits(own, directory) }
}

/** Returns whether the group has processes. Only a tree's root may have them beside controlled children. */
function hasProcesses(directory: string): boolean {
  return line(directory, 'cgroup.type') !== '' && line(directory, 'cgroup.procs') !== ''
}

/** Returns whether this process may create children. Root may not if the file system is read-only, as in a container. */
function takesGroups(directory: string): boolean {
  return allows(directory, fileConstants.W_OK) && allows(`${directory}/cgroup.procs`, fileConstants.W_OK)
}

/** Returns the group or its nearest existing ancestor, whose properties a new group inherits. */
export function nearestGroup(directory: string): string {
  return directory === '' || allows(`${directory}/cgroup.procs`, fileConstants.F_OK)
    ? directory
    : nearestGroup(directory.slice(0, directory.lastIndexOf('/')))
}

/** Lists the levels between two groups, both included. */
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
