// SPDX-License-Identifier: Apache-2.0
// On v1 a group is one directory for each controller; on v2 it is one for all, and scripts for v2 rely on that. Setting a file of a missing
// controller therefore creates the group in that hierarchy too, and it follows the group from then on.

import { describeFile } from '../../cgroup/controllers/catalog.ts'
import { makeDirectory, readGroupFile, readWords, writeGroupFile } from '../../cgroup/files.ts'
import { type Place, placeOf, present } from '../../cgroup/group-paths.ts'
import { directoryOf } from '../../cgroup/set-file.ts'
import { legacyControllerOf } from '../../cgroup/v1/translate.ts'
import { explainMake } from '../../cgroup/write-errors.ts'
import type { Host } from '../../host/host.ts'
import { statuses, withStatus } from '../exit-status.ts'

/**
 * v1's flag for cpusets, without effect in other hierarchies. It distinguishes a follower from a group created by
 * another program.
 */
const mark = 'cgroup.clone_children'

/**
 * Controllers that follow. A cpuset needs CPUs first, and devices, freezer and net_cls have no limits, so they do not
 * follow.
 */
const mayFollow = new Set(['blkio', 'cpu', 'hugetlb', 'memory', 'pids', 'rdma', 'misc'])

/** Makes the group in the hierarchy of the file's controller, if that is v1 and the group is in others alone. */
export function followInto(host: Host, place: Place, file: string): { place: Place; note?: string } {
  const controller = legacyControllerOf(file)
  const hierarchy = host.v1[controller]
  const others = Object.entries(place.directories).filter(([key]) => key !== '' && host.v1[key])
  if (!hierarchy || !mayFollow.has(controller) || others.length === 0 || directoryOf(place, file) !== undefined)
    return { place }
  const directory = `${hierarchy.mount}${place.path}`
  // only for v2 names: users of v1 names create a group in each hierarchy, and a typing error must not create a group
  if (!describeFile(file, 'v2')) return { place }
  let at = hierarchy.mount
  for (const part of place.path.split('/').filter(Boolean)) {
    at = `${at}/${part}`
    const errno = makeDirectory(at)
    if (errno === undefined) writeGroupFile(at, mark, '1')
    else if (errno !== 'EEXIST') throw withStatus(statuses.refused, explainMake(at, errno))
  }
  for (const pid of readWords(others[0]![1], 'cgroup.procs')) writeGroupFile(directory, 'cgroup.procs', pid)
  return {
    place: { ...place, directories: { ...place.directories, [controller]: directory } },
    note: `made ${place.path} in the ${controller} hierarchy too, since ${file} is there; cgexec and cgdelete include it`,
  }
}

/** The group's followers in hierarchies other than those named. */
export function followers(host: Host, path: string, mounts: readonly string[]): string[] {
  if (path === '' || Object.keys(host.v1).length === 0) return []
  const there = present(placeOf(host, path))
  return Object.entries(there?.directories ?? {})
    .filter(([key, directory]) => mayFollow.has(key) && !mounts.some((mount) => directory.startsWith(`${mount}/`)))
    .map(([, directory]) => directory)
    .filter((directory) => readGroupFile(directory, mark) === '1')
}
