// SPDX-License-Identifier: Apache-2.0
// Converts `linux.cgroupsPath` to the directory of a container's group in each hierarchy. Pure.
import type { Hierarchy } from '../../host/hierarchy.ts'
import { invalidPath } from './resource-values.ts'

/** Removes `.` and `..` from a path. A path cannot lead above its start. */
function cleanPath(path: string): string {
  const parts: string[] = []
  for (const part of path.split('/'))
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  return parts.join('/')
}

/** A path from the mount points of the hierarchies, or from the groups of this process. */
export interface CgroupsPath {
  isAbsolute: boolean
  /** Path without a slash at its start or end. */
  below: string
}

/** Parses a path. Without one, the group has the container's id as name, below the groups of this process. @throws OPTION_INVALID */
export function parseCgroupsPath(path: string | undefined, id: string): CgroupsPath {
  const text = path || id
  const below = cleanPath(text)
  const isTooLong = below.split('/').some((part) => Buffer.byteLength(part) > 255) || Buffer.byteLength(below) > 3072
  if (below === '' || isTooLong || /[\0\n]/.test(below)) throw invalidPath(text, 'a path of a group, such as /my/group')
  return { isAbsolute: text.startsWith('/'), below }
}

/**
 * Returns the directory of the group in a hierarchy. Where v2 is alone, a relative path begins beside this process's
 * group: a group with processes cannot have children with controllers.
 */
export function groupIn({ mount, own }: Hierarchy, { isAbsolute, below }: CgroupsPath, isOnlyTree: boolean): string {
  const above = own.length > mount.length ? own.slice(0, own.lastIndexOf('/')) : mount
  const start = isAbsolute ? mount : isOnlyTree ? above : own
  return `${start}/${below}`
}
