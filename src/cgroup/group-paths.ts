// SPDX-License-Identifier: Apache-2.0
// Converts group names to paths and to directories in each hierarchy. A name with a leading slash starts at the hierarchies' roots.

import { fail } from '../errors/errors.ts'
import type { Hierarchy } from '../host/hierarchy.ts'
import type { Host } from '../host/host.ts'
import { nearest } from '../text/nearest.ts'
import { isBelow } from '../text/paths.ts'
import { isGroup, readChildren, walkGroups } from './files.ts'
import { parseGroupPath } from './path.ts'

/**
 * The place of a group: its path, and its directory for each controller. The key '' stands for the v2 tree. Controllers that share a v1
 * hierarchy have the same directory.
 */
export interface GroupPaths {
  /** Path from the root, with a leading slash. If the group has different paths in the hierarchies, the path in the first hierarchy. */
  readonly path: string
  /** Directories by hierarchy. The key is `''` for the v2 tree, and the controller's name for v1. */
  readonly directories: { readonly [controller: string]: string }
  /** What messages call the group; by default its path. */
  readonly title?: string
}

/** Name of the group in which root's new groups are created if no parent is given. */
export const defaultParent = 'hutch'

/** Returns every hierarchy with its key in `GroupPaths.directories`. */
export function hierarchies(host: Host): [controller: string, hierarchy: Hierarchy][] {
  return [...(host.unified ? [['', host.unified] as [string, Hierarchy]] : []), ...Object.entries(host.v1)]
}

/** Returns the group's path if `name` is a directory below a cgroup mount. Otherwise returns `name` unchanged. */
export function pathOfDirectory(host: Host, name: string): string {
  const mounts = hierarchies(host)
    .map(([, { mount }]) => mount)
    .sort((a, b) => b.length - a.length)
  const mount = mounts.find((one) => isBelow(name, one))
  return mount === undefined ? name : name.slice(mount.length) || '/'
}

/** Returns the paths of a group in every hierarchy, even if the group does not exist. @throws CGROUP_PATH_INVALID */
export function groupPathsOf(host: Host, path: string, origin = 'the group'): GroupPaths {
  const below = parseGroupPath(path, origin)
  const directories = Object.fromEntries(
    hierarchies(host).map(([controller, { mount }]) => [controller, below === '' ? mount : `${mount}/${below}`]),
  )
  return { path: `/${below}`, directories }
}

/** Returns the place of the group that contains this process, in every hierarchy. */
export function ownGroupPaths(host: Host): GroupPaths {
  const all = hierarchies(host)
  const first = all[0]?.[1]
  return {
    path: first === undefined || first.own === first.mount ? '/' : first.own.slice(first.mount.length),
    directories: Object.fromEntries(all.map(([controller, { own }]) => [controller, own])),
  }
}

/** Returns the paths of a group below another. @throws CGROUP_PATH_INVALID */
export function groupPathsBelow(parent: GroupPaths, name: string, origin = 'the group'): GroupPaths {
  const below = parseGroupPath(name, origin)
  if (below === '') return parent
  return {
    path: parent.path === '/' ? `/${below}` : `${parent.path}/${below}`,
    directories: Object.fromEntries(
      Object.entries(parent.directories).map(([controller, directory]) => [controller, `${directory}/${below}`]),
    ),
  }
}

/**
 * Returns where a new group of this name is created. A name with a leading slash is a path from the root. For any other name, root's groups
 * are created below `hutch`, and those of other users below the caller's own group.
 */
export function newGroupPaths(host: Host, name: string, origin = 'the group'): GroupPaths {
  if (name.startsWith('/')) return groupPathsOf(host, name, origin)
  if (host.home !== undefined)
    return groupPathsBelow(groupPathsOf(host, host.home.slice(host.unified!.mount.length)), name, origin)
  return groupPathsBelow(host.uid === 0 ? groupPathsOf(host, defaultParent) : ownGroupPaths(host), name, origin)
}

/** Returns the paths with only those hierarchies in which the group exists; undefined if it exists in none. */
export function present(paths: GroupPaths): GroupPaths | undefined {
  const directories = Object.fromEntries(
    Object.entries(paths.directories).filter(([, directory]) => isGroup(directory)),
  )
  return Object.keys(directories).length > 0 ? { path: paths.path, directories } : undefined
}

/**
 * Finds the group that a user names: by its path, by its name below the default parent or the root, or by a unique name.
 * @throws CGROUP_PATH_INVALID, CGROUP_NOT_FOUND, CGROUP_AMBIGUOUS
 */
export function findGroupPaths(host: Host, name: string, origin = 'the group'): GroupPaths {
  const there = present(newGroupPaths(host, name, origin)) ?? present(groupPathsOf(host, name, origin))
  if (there) return there
  const known = allPaths(host)
  const wanted = parseGroupPath(name, origin)
  const found = name.startsWith('/') ? [] : known.filter((path) => path.endsWith(`/${wanted}`))
  if (found.length === 1) return present(groupPathsOf(host, found[0]!))!
  if (found.length > 1) throw fail('CGROUP_AMBIGUOUS', { name, found })
  const where = host.unified?.mount ?? Object.values(host.v1)[0]?.mount ?? '/sys/fs/cgroup'
  throw fail('CGROUP_NOT_FOUND', { group: name, where, nearest: nearestGroup(name, wanted, known) })
}

/**
 * Returns the existing group whose name is most similar to an unknown name. A path is compared with whole paths, a name with the ends of
 * paths.
 */
function nearestGroup(name: string, wanted: string, known: readonly string[]): string | undefined {
  if (name.startsWith('/')) return nearest(`/${wanted}`, known)
  const levels = wanted.split('/').length
  const byEnd = new Map(known.map((path) => [path.split('/').slice(-levels).join('/'), path]))
  const end = nearest(wanted, [...byEnd.keys()])
  return end === undefined ? undefined : byEnd.get(end)
}

/** Returns the children of a group, in all hierarchies. */
export function childGroupPaths(paths: GroupPaths): GroupPaths[] {
  const names = new Set(Object.values(paths.directories).flatMap(readChildren))
  return [...names].sort().map((name) => ({
    path: paths.path === '/' ? `/${name}` : `${paths.path}/${name}`,
    directories: Object.fromEntries(
      Object.entries(paths.directories)
        .map(([key, directory]) => [key, `${directory}/${name}`] as const)
        .filter(([, directory]) => isGroup(directory)),
    ),
  }))
}

/** Returns the paths of all groups in all hierarchies, without duplicates. */
export function allPaths(host: Host): string[] {
  const paths = new Set<string>()
  for (const [, { mount }] of hierarchies(host))
    for (const directory of walkGroups(mount)) paths.add(directory.slice(mount.length) || '/')
  return [...paths].sort()
}
