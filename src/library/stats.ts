// SPDX-License-Identifier: Apache-2.0
// Opens a reader of statistics for the library, and checks what it is given.
import type { GroupPaths } from '../cgroup/group-paths.ts'
import { openStatsReader, type StatsReader } from '../cgroup/group-stats.ts'
import { fail } from '../errors/errors.ts'
import { refuseUnknown } from '../options/unknown-option.ts'

/**
 * Opens a reader of statistics. It keeps the files open unless the limit of open files is too low.
 *
 * @throws OPTION_UNKNOWN, OPTION_INVALID
 * @example
 * const group = await Cgroup.create(`stats-${process.pid}`)
 * const reader = openStats([group])
 * console.log(reader.read()[0].pids.current) // 0
 * reader.close()
 * await group.remove()
 */
export function openStats(groups: readonly GroupPaths[]): StatsReader
export function openStats(groups: readonly GroupPaths[], options?: unknown): StatsReader {
  if (typeof options === 'object' && options !== null) refuseUnknown('openStats', options)
  if (!Array.isArray(groups)) refuseUnknown('openStats', groups as object)
  if (!Array.isArray(groups) || !groups.every((group) => Object(group).directories))
    throw fail('OPTION_INVALID', { name: 'the groups of openStats', value: groups, accepted: 'a list of Cgroups' })
  return openStatsReader(groups)
}
