// SPDX-License-Identifier: Apache-2.0
// Finds the cgroup below which a job's groups are created, in each hierarchy. This is the caller's group, unless
// another is named or the caller's group cannot have children.
import { fileConstants, readFileSync } from '../system/files.ts'
import { accessSync } from '../system/native.ts'
import { type Host, withoutLeaf } from './host.ts'
import { type OuterLimit, readOuterLimits } from './outer-limits.ts'

/** Facts about the group below which a job's groups are created. plan/plan.ts decides from them whether a job can start. */
export interface Parent {
  directory: string
  exists: boolean
  /** The levels to create, topmost first, if the group does not exist. */
  missing: string[]
  /** True if children can be created in the group, or if the group does not exist and can be created. */
  writable: boolean
  /** v2: the controllers that children can use after they are enabled in each level of `chain`. */
  available: string[]
  /** v2: the levels from the root to this group, with the controllers that each enables for its children. */
  levels: { directory: string; enabled: string[] }[]
  /** v2: the content of cgroup.type; undefined for the root group, which has no such file. */
  type: string | undefined
  /** v2: the processes in the group. Only the root group may have processes and also child groups with controllers. */
  processes: string[]
  /** v1 cpuset: the group's own `cpuset.cpus` and `cpuset.mems`, which a new child group needs. */
  inherit?: { [file: string]: string }
  /**
   * True if the caller named this group and is not in it. A job then joins the group even if none of its limits needs
   * this hierarchy.
   */
  joined?: boolean
  /**
   * Limits that apply to this process but not to a job below this group. They belong to groups that contain this
   * process. Nearest first.
   */
  outer: OuterLimit[]
}

/** What the caller requests of the parent group. */
interface ParentChoice {
  /** The path of the group that the caller named, relative to the mount point of the hierarchy. */
  path?: string | undefined
  /** True if the child groups need controllers. A v2 group with processes cannot enable controllers for children. */
  controlled?: boolean
  /** True if hutch first moves the processes in the caller's group to a new leaf group. */
  evacuate?: boolean | undefined
}

/** Reads the facts about the group below which a job's groups are created. `controller` is '' for the v2 tree. */
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
  // levels above `home` belong to other programs such as systemd, which decide which controllers they delegate
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
 * v2: finds the group below which job groups are created. Without `controlled`, or if the caller's group can have
 * children with controllers, this is the caller's group. Otherwise it is the nearest suitable ancestor. `outer` are the
 * limits between the two groups, which no longer apply to the job.
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
  // root can enable controllers from the tree's root down; other users only below a group that they own
  const populated = above.findIndex(hasProcesses)
  const directory =
    uid === 0
      ? above.slice(0, populated < 0 ? above.length : populated).at(-1)
      : above.findLast((level) => takesGroups(level) && !hasProcesses(level))
  if (directory === undefined) return inside
  return { directory, outer: readOuterLimits(own, directory) }
}

/** Returns whether the group has processes. Only the root group may have processes and also child groups with controllers. */
function hasProcesses(directory: string): boolean {
  return line(directory, 'cgroup.type') !== '' && line(directory, 'cgroup.procs') !== ''
}

/** Returns whether this process may create child groups. Even root may not if the file system is read-only, as in a container. */
function takesGroups(directory: string): boolean {
  return allows(directory, fileConstants.W_OK) && allows(`${directory}/cgroup.procs`, fileConstants.W_OK)
}

/** Returns the group or its nearest existing ancestor, whose properties a new group inherits. */
export function nearestGroup(directory: string): string {
  return directory === '' || allows(`${directory}/cgroup.procs`, fileConstants.F_OK)
    ? directory
    : nearestGroup(directory.slice(0, directory.lastIndexOf('/')))
}

/** Lists the groups on the path from one group down to another, including both ends. */
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
