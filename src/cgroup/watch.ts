// SPDX-License-Identifier: Apache-2.0
// Reports events of groups as they happen: inotify on the files with counters and on the directories. It does not poll.
import {
  type GroupEvent,
  makeEvent,
  openSources,
  type PressureTrigger,
  type Sources,
  type Watch,
} from './event-sources.ts'
import { isGroup, readFileNames, watchPath } from './files.ts'
import { childGroupPaths, type GroupPaths } from './group-paths.ts'

/** What to watch besides the groups' own event files. */
export interface WatchOptions {
  /** True if descendants are watched too, including those created later. Each group then reports only its own events. False by default. */
  recursive?: boolean
  /** Pressure triggers to set in each group. None by default. */
  pressure?: readonly PressureTrigger[]
}

/**
 * After a change, all counters are read once more when no further change was reported for this many milliseconds. A full inotify queue
 * drops events, and v1 notifies before it counts.
 */
const settleMs = 250

/**
 * Watches groups until the returned function is called or all groups are removed. In the latter case, calls `ended`. Reads counters when
 * the kernel reports a change. Events that arrive faster than they are read are added up, so none is lost.
 */
export function watchGroups(
  allPaths: readonly GroupPaths[],
  options: WatchOptions,
  emit: (event: GroupEvent) => void,
  ended: () => void = () => {},
): () => void {
  const groups = new Map<string, { paths: GroupPaths; sources: Sources }>()
  const directories = new Map<string, () => void>()
  let settling: NodeJS.Timeout | undefined

  const watch: Watch = {
    local: options.recursive ?? false,
    pressure: options.pressure ?? [],
    emit,
    changed: (read) => {
      read()
      clearTimeout(settling)
      settling = setTimeout(() => {
        for (const { sources } of groups.values()) sources.read()
      }, settleMs)
    },
  }
  const close = () => {
    clearTimeout(settling)
    for (const { sources } of groups.values()) sources.close()
    for (const stop of directories.values()) stop()
    groups.clear()
    directories.clear()
  }
  const leave = (path: string) => {
    const group = groups.get(path)
    if (!group) return
    group.sources.read()
    group.sources.close()
    groups.delete(path)
    for (const directory of Object.values(group.paths.directories)) {
      directories.get(directory)?.()
      directories.delete(directory)
    }
    emit(makeEvent(group.paths, '', 'removed', 1))
    if (groups.size > 0) return
    close()
    ended()
  }
  const enter = (paths: GroupPaths, late: boolean) => {
    if (groups.has(paths.path)) return
    groups.set(paths.path, { paths, sources: openSources(paths, watch, late) })
    if (late) emit(makeEvent(paths, '', 'created', 1))
    if (!options.recursive) return
    for (const directory of new Set(Object.values(paths.directories))) watchDirectory(directory)
    for (const child of childGroupPaths(paths)) enter(child, late)
  }
  /**
   * Opens one watch for each directory. This watch reports created and removed groups in the directory; its changes of files are ignored.
   */
  const watchDirectory = (directory: string) => {
    if (directories.has(directory)) return
    const files = new Set(readFileNames(directory))
    const stop = watchPath(directory, (name) => {
      if (files.has(name)) return
      const path = `${directory}/${name}`
      for (const { paths } of groups.values())
        if (Object.values(paths.directories).includes(path)) {
          if (!Object.values(paths.directories).some(isGroup)) leave(paths.path)
          return
        }
      if (!options.recursive || !isGroup(path)) return
      const parent = [...groups.values()].find(({ paths }) => Object.values(paths.directories).includes(directory))
      const child = parent && childGroupPaths(parent.paths).find((one) => one.path.endsWith(`/${name}`))
      if (child) enter(child, true)
    })
    if (stop) directories.set(directory, stop)
  }

  try {
    for (const paths of allPaths) {
      enter(paths, false)
      for (const directory of new Set(Object.values(paths.directories)))
        watchDirectory(directory.slice(0, directory.lastIndexOf('/')))
    }
  } catch (error) {
    close()
    throw error
  }
  return close
}
