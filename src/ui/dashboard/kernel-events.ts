// SPDX-License-Identifier: Apache-2.0
// Kills and refusals as the kernel tells them, without waiting for the next look.

import { openSources } from '../../cgroup/event-sources.ts'
import { watchPath } from '../../cgroup/files.ts'
import { placeOf, present } from '../../cgroup/group-paths.ts'
import { HutchError } from '../../errors/errors.ts'
import type { Host } from '../../host/host.ts'
import type { Row } from './api-types.ts'

const settleMs = 100

/** Each watched group costs some descriptors; the others are seen at the next look. */
const mostGroups = 128

/** Number of groups added to the watch between two samples: hundreds at once would cost more than a sample. */
const mostEarly = 8

/** Directories in which groups come and go: those that have had some. */
const mostDirectories = 32

export interface Alarms {
  /** Watches groups that have processes and a limit, and no others. */
  follow(rows: ReadonlyMap<string, Row>): void
  close(): void
}

/** `told`: a count in a group's life went up. `moved`: groups came or went. */
export function openAlarms(
  host: Host,
  told: (at: number, group: string, kind: 'oom' | 'refused', total: number) => void,
  moved: () => void,
): Alarms {
  const watched = new Map<string, () => void>()
  const directories = new Map<string, (() => void) | undefined>()
  let early = 0
  const mount = (host.v1.memory ?? host.unified ?? Object.values(host.v1)[0])?.mount

  const watch = (path: string) => {
    try {
      const place = present(placeOf(host, path))
      if (!place) return
      const { memory, pids, '': unified } = place.directories
      const directories = { ...(unified && { '': unified }), ...(memory && { memory }), ...(pids && { pids }) }
      let settling: NodeJS.Timeout | undefined
      const sources = openSources(
        { path, directories },
        {
          local: false,
          pressure: [],
          emit({ at, file, kind, total }) {
            if (total === undefined) return
            if (kind === 'oom_kill') told(at, path, 'oom', total)
            if (file === 'pids.events' && kind === 'max') told(at, path, 'refused', total)
          },
          changed(read) {
            read()
            // v1 tells before it counts
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
      // the group is gone, its name is invalid, or no descriptors are left: samples report it instead
      if (!HutchError.is(error)) throw error
    }
  }
  const watchDirectory = (path: string) => {
    if (directories.has(path) || directories.size >= mostDirectories || mount === undefined) return
    const directory = path === '/' ? mount : mount + path
    directories.set(
      path,
      watchPath(directory, (name) => {
        // files are written all the time, and have a dot in their names or are v1's
        if (/^(cgroup|memory|cpu|pids|io|hugetlb|cpuset|rdma|misc)\.|^(tasks|notify_on_release)$/.test(name)) return
        // a short life may be over before the next look
        const group = path === '/' ? `/${name}` : `${path}/${name}`
        // it went, or came; perhaps both, and it is another of that name now
        watched.get(group)?.()
        watched.delete(group)
        if (watched.size < mostGroups && ++early <= mostEarly) watch(group)
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
        if (watched.size >= mostGroups) break
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

function isWatchable(path: string, row: Row | undefined): boolean {
  return (
    path !== '/' && row?.populated === true && (typeof row.memoryMax === 'number' || typeof row.pidsMax === 'number')
  )
}
