// SPDX-License-Identifier: Apache-2.0
// Watches the kernel's counters of kills and refusals, so that the dashboard shows them before the next sample.

import { openSources } from '../../cgroup/event-sources.ts'
import { watchPath } from '../../cgroup/files.ts'
import { groupPathsOf, present } from '../../cgroup/group-paths.ts'
import { HutchError } from '../../errors/errors.ts'
import type { Host } from '../../host/host.ts'
import type { GroupRow } from './api-types.ts'

const settleMs = 100

/** Maximum number of watched groups, because each needs descriptors. Events in further groups appear with the next sample. */
const maxGroups = 128

/** Maximum number of new groups to watch between two samples. For more groups, a sample costs less. */
const maxEarly = 8

/** Maximum number of directories that are watched for created and removed groups. */
const maxDirectories = 32

interface Alarms {
  /** Sets the groups to watch: those of the rows that have processes and a limit. */
  follow(rows: ReadonlyMap<string, GroupRow>): void
  close(): void
}

/** Starts watching. `report` is called when a group's counter increased, `moved` when groups were created or removed. */
export function openAlarms(
  host: Host,
  report: (at: number, group: string, kind: 'oom' | 'refused', total: number) => void,
  moved: () => void,
): Alarms {
  const watched = new Map<string, () => void>()
  const directories = new Map<string, (() => void) | undefined>()
  let early = 0
  const mount = (host.v1.memory ?? host.unified ?? Object.values(host.v1)[0])?.mount

  const watch = (path: string) => {
    try {
      const paths = present(groupPathsOf(host, path))
      if (!paths) return
      const { memory, pids, '': unified } = paths.directories
      const directories = { ...(unified && { '': unified }), ...(memory && { memory }), ...(pids && { pids }) }
      let settling: NodeJS.Timeout | undefined
      const sources = openSources(
        { path, directories },
        {
          local: false,
          pressure: [],
          emit({ at, file, kind, total }) {
            if (total === undefined) return
            if (kind === 'oom_kill') report(at, path, 'oom', total)
            if (file === 'pids.events' && kind === 'max') report(at, path, 'refused', total)
          },
          changed(read) {
            read()
            // wait a moment, because v1 notifies before it increases the counter
            clearTimeout(settling)
            settling = setTimeout(() => sources.read(), settleMs)
          },
        },
        false,
      )
      watched.set(path, () => {
        clearTimeout(settling)
        sources.close()
      })
    } catch (error) {
      // the group was removed, its name is invalid, or no descriptor was free: the next sample shows its events
      if (!HutchError.is(error)) throw error
    }
  }
  const watchDirectory = (path: string) => {
    if (directories.has(path) || directories.size >= maxDirectories || mount === undefined) return
    const directory = path === '/' ? mount : mount + path
    directories.set(
      path,
      watchPath(directory, (name) => {
        // ignore changes to the kernel's own files, which are frequent
        if (/^(cgroup|memory|cpu|pids|io|hugetlb|cpuset|rdma|misc)\.|^(tasks|notify_on_release)$/.test(name)) return
        // report the group now, because a short-lived group may be removed before the next sample
        const group = path === '/' ? `/${name}` : `${path}/${name}`
        // stop watching the group: it was removed, created, or both, and another group may have its name now
        watched.get(group)?.()
        watched.delete(group)
        if (watched.size < maxGroups && ++early <= maxEarly) watch(group)
        moved()
      }),
    )
  }
  watchDirectory('/')
  return {
    follow(rows) {
      early = 0
      for (const [path, stop] of watched)
        if (!isWatchable(path, rows.get(path))) {
          watched.delete(path)
          stop()
        }
      for (const [path, stop] of directories)
        if (path !== '/' && !rows.has(path)) {
          directories.delete(path)
          stop?.()
        }
      for (const [path, row] of rows) {
        if (watched.size >= maxGroups) break
        if (watched.has(path) || !isWatchable(path, row)) continue
        watch(path)
        watchDirectory(path.slice(0, path.lastIndexOf('/')) || '/')
      }
    },
    close() {
      for (const stop of watched.values()) stop()
      for (const stop of directories.values()) stop?.()
      watched.clear()
      directories.clear()
    },
  }
}

function isWatchable(path: string, row: GroupRow | undefined): boolean {
  return (
    path !== '/' && row?.populated === true && (typeof row.memoryMax === 'number' || typeof row.pidsMax === 'number')
  )
}
