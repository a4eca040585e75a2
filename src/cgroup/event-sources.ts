// SPDX-License-Identifier: Apache-2.0
// Where a group's events come from: the files that count them, pressure triggers, v1 eventfds.
import { fail } from '../errors/errors.ts'
import { errnoName } from '../system/native.ts'
import { unwatchJob, watchedNative, watchJob } from '../system/reactor.ts'
import { parseDuration } from '../text/units.ts'
import { readFileNames, readGroupFile, watchPath } from './files.ts'
import type { Place } from './group-paths.ts'
import { parseFlat } from './stats.ts'
import { explainWrite } from './write-errors.ts'

/** One thing that the kernel did to a group. */
export interface GroupEvent {
  /** Milliseconds since the epoch. */
  at: number
  /** The group's path. */
  group: string
  /**
   * The file that reported the event: cgroup.events, memory.events, pids.events, memory.pressure, …; '' for created and removed.
   */
  file: string
  /** The file's key (populated, frozen, oom, oom_kill, max, high, …), `some` or `full` for pressure, `created`, `removed`. */
  kind: string
  /** How many of them since the last event of this kind; for populated and frozen the new state, 0 or 1. */
  count: number
  /** How many in the group's life; absent where the kernel does not count them. */
  total?: number
}

/** A pressure trigger: fires when tasks stalled for this long within a window (accounting/psi.rst). */
export interface PressureTrigger {
  resource: 'cpu' | 'memory' | 'io'
  kind: 'some' | 'full'
  stallUsec: number
  /** 500 ms to 10 s; without root a multiple of 2 s. */
  windowUsec: number
}

/** `memory:some:150ms/1s` as a trigger. @throws OPTION_INVALID */
export function parseTrigger(text: string, origin: string): PressureTrigger {
  const [, resource, kind = 'some', stall, window = '1s'] =
    /^(cpu|memory|io)(?::(some|full))?:([^/]+)(?:\/(.+))?$/.exec(text) ?? []
  const ms = [stall, window].map((time) => parseDuration(time, 1))
  if (resource === undefined || !ms[0] || !ms[1] || ms[0] > ms[1])
    throw fail('OPTION_INVALID', {
      name: origin,
      value: text,
      accepted: 'RESOURCE:some|full:STALL/WINDOW, such as memory:some:150ms/1s',
    })
  return {
    resource: resource as PressureTrigger['resource'],
    kind: kind as PressureTrigger['kind'],
    stallUsec: ms[0] * 1000,
    windowUsec: ms[1] * 1000,
  }
}

/** Files with a state rather than counts. */
const states = new Set(['populated', 'frozen'])

/** An event of now. */
export function makeEvent(place: Place, file: string, kind: string, count: number, total?: number): GroupEvent {
  return { at: Date.now(), group: place.path, file, kind, count, ...(total !== undefined && { total }) }
}

/** What watches one group. */
export interface Sources {
  /** Emits what has changed since the last sample. */
  read: () => void
  close: () => void
}

/** What to watch, and whom to tell. */
export interface Watch {
  /** Each group tells of itself only, since those below it are watched too. */
  local: boolean
  pressure: readonly PressureTrigger[]
  emit: (event: GroupEvent) => void
  /** The kernel says that these counts changed. */
  changed: (read: () => void) => void
}

/** Everything that tells of one group. */
export function openSources(place: Place, { local, pressure, emit, changed }: Watch, late: boolean): Sources {
  const closers: (() => void)[] = []
  const readers: (() => void)[] = []
  try {
    for (const [directory, file] of eventFiles(place, local)) {
      // a group that came up while we watch has all of its history ahead
      const read = counter(place, directory, file, emit, late)
      const stop = watchPath(`${directory}/${file}`, () => changed(read))
      if (stop) closers.push(stop)
      readers.push(read)
      if (!late) read()
    }
    if (late) for (const read of readers) read()
    const memory = place.directories.memory
    if (memory !== undefined) {
      const read = counter(place, memory, 'memory.oom_control', emit, late)
      closers.push(openTrigger(memory, 'memory.oom_control', '', () => changed(read)))
      readers.push(read)
    }
    for (const trigger of pressure) closers.push(openPressure(place, trigger, emit))
  } catch (error) {
    for (const close of closers) close()
    throw error
  }
  return {
    close: () => {
      for (const close of closers) close()
    },
    read: () => {
      for (const read of readers) read()
    },
  }
}

/** The files of a group that count events. With every group watched, each tells of itself (.local); else of all below it too. */
function eventFiles(place: Place, local: boolean): [directory: string, file: string][] {
  const found: [string, string][] = []
  for (const directory of new Set(Object.values(place.directories))) {
    const names = readFileNames(directory).filter((name) => /\.events(\.local)?$/.test(name))
    for (const name of names) {
      const both = name.endsWith('.local') || names.includes(`${name}.local`)
      if (!both || name.endsWith('.local') === local) found.push([directory, name])
    }
  }
  return found
}

/** What to call when a file of counts may have changed: emits the differences. */
function counter(
  place: Place,
  directory: string,
  file: string,
  emit: (event: GroupEvent) => void,
  late: boolean,
): () => void {
  const name = file.replace(/\.local$/, '')
  let before: { [key: string]: number } = {}
  /** A group that is gone was empty before. */
  const read = () => {
    const text = readGroupFile(directory, file)
    return text === undefined && name === 'cgroup.events' ? { populated: 0, frozen: 0 } : parseFlat(text)
  }
  if (!late) before = read()
  return () => {
    const now = read()
    for (const [key, value] of Object.entries(now)) {
      if (key === 'oom_kill_disable' || key === 'under_oom') continue
      const known = before[key] ?? 0
      if (states.has(key) ? value !== known : value > known)
        emit(states.has(key) ? makeEvent(place, name, key, value) : makeEvent(place, name, key, value - known, value))
    }
    // a group that is being removed reads as empty: keep the last values
    before = { ...before, ...now }
  }
}

function openTrigger(
  where: string,
  file: string,
  argument: string,
  fired: (count: number, gone: boolean) => void,
): () => void {
  const addon = watchedNative()
  const id = addon.openTrigger(where, file, argument)
  if (id < 0) {
    const slash = where.lastIndexOf('/')
    const errno = errnoName(id)
    throw file === ''
      ? explainWrite({ directory: where.slice(0, slash), file: where.slice(slash + 1), value: argument, errno })
      : explainWrite({ directory: where, file: 'cgroup.event_control', value: file, errno })
  }
  watchJob(id, (_kind, gone, count) => fired(count, gone === 1))
  return () => {
    addon.closeTrigger(id)
    unwatchJob(id)
  }
}

function openPressure(place: Place, trigger: PressureTrigger, emit: (event: GroupEvent) => void): () => void {
  const directory = place.directories['']
  const file = `${trigger.resource}.pressure`
  if (directory === undefined)
    throw fail('CGROUP_FILE_MISSING', {
      file,
      group: place.path,
      evidence: ['pressure is counted only in a v2 tree, and the group is not in one'],
      remedy: 'mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified, and create the group there too',
    })
  const text = `${trigger.kind} ${trigger.stallUsec} ${trigger.windowUsec}`
  return openTrigger(`${directory}/${file}`, '', text, (_count, gone) => {
    if (!gone) emit(makeEvent(place, file, trigger.kind, 1))
  })
}
