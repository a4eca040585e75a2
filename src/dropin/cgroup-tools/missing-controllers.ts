// SPDX-License-Identifier: Apache-2.0
// Creates missing v1 directories of a group. On v2 a group is one directory for all controllers, and scripts for v2 rely on that; on v1 it
// is one per controller. Setting a file of a missing controller creates the group in that hierarchy. This directory then follows the group
// when it is removed. Called by cgset, cgexec and cgdelete.

import { describeFile } from '../../cgroup/controllers/catalog.ts'
import { makeDirectory, readGroupFile, readWords, writeGroupFile } from '../../cgroup/files.ts'
import { type GroupPaths, groupPathsOf, present } from '../../cgroup/group-paths.ts'
import { directoryOf } from '../../cgroup/set-file.ts'
import { legacyControllerOf } from '../../cgroup/v1/translate.ts'
import { explainMake } from '../../cgroup/write-errors.ts'
import type { Host } from '../../host/host.ts'
import { statuses, withStatus } from '../exit-status.ts'

/**
 * File by which the directories are marked that cgset created in further v1 hierarchies. It has an effect only on cpusets. Directories of
 * other programs lack the mark.
 */
const mark = 'cgroup.clone_children'

/**
 * Controllers in whose v1 hierarchy cgset may create a missing group. Not cpuset, which needs CPUs first; not devices, freezer and net_cls,
 * which have no limits.
 */
const mayFollow = new Set(['blkio', 'cpu', 'hugetlb', 'memory', 'pids', 'rdma', 'misc'])

/** Creates the group in the v1 hierarchy of the file's controller, if the group exists only in other v1 hierarchies. */
export function followInto(host: Host, paths: GroupPaths, file: string): { paths: GroupPaths; note?: string } {
  const controller = legacyControllerOf(file)
  const hierarchy = host.v1[controller]
  const others = Object.entries(paths.directories).filter(([key]) => key !== '' && host.v1[key])
  if (!hierarchy || !mayFollow.has(controller) || others.length === 0 || directoryOf(paths, file) !== undefined)
    return { paths }
  const directory = `${hierarchy.mount}${paths.path}`
  // only for v2 names of files: users of v1 names create each directory themselves, and a misspelled path must not create a
  // group
  if (!describeFile(file, 'v2')) return { paths }
  let at = hierarchy.mount
  for (const part of paths.path.split('/').filter(Boolean)) {
    at = `${at}/${part}`
    const errno = makeDirectory(at)
    if (errno === undefined) writeGroupFile(at, mark, '1')
    else if (errno !== 'EEXIST') throw withStatus(statuses.refused, explainMake(at, errno))
  }
  for (const pid of readWords(others[0]![1], 'cgroup.procs')) writeGroupFile(directory, 'cgroup.procs', pid)
  return {
    paths: { ...paths, directories: { ...paths.directories, [controller]: directory } },
    note: `made ${paths.path} in the ${controller} hierarchy too, since ${file} is there; cgexec and cgdelete include it`,
  }
}

/** Returns the directories of the group that cgset created in other hierarchies than the named ones. */
export function followers(host: Host, path: string, mounts: readonly string[]): string[] {
  if (path === '' || Object.keys(host.v1).length === 0) return []
  const there = present(groupPathsOf(host, path))
  return Object.entries(there?.directories ?? {})
    .filter(([key, directory]) => mayFollow.has(key) && !mounts.some((mount) => directory.startsWith(`${mount}/`)))
    .map(([, directory]) => directory)
    .filter((directory) => readGroupFile(directory, mark) === '1')
}
