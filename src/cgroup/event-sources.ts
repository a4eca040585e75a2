// SPDX-License-Identifier: Apache-2.0
// Opens the sources of a group's events: files with counters, pressure triggers, v1 eventfds. Called by watch.ts.
import { fail } from '../errors/errors.ts'
import { errnoName } from '../system/native.ts'
import { unwatchJob, watchedNative, watchJob } from '../system/reactor.ts'
import { parseDuration } from '../text/units.ts'
import { readFileNames, readGroupFile, watchPath } from './files.ts'
import type { GroupPaths } from './group-paths.ts'
import { parseFlat } from './stats.ts'
import { explainWrite } from './write-errors.ts'

/** An event of a group. */
export interface GroupEvent {
  /** Time of the event, in milliseconds since the epoch. */
  at: number
  /** The group's path. */
  group: string
  /**
   * The file that reported the event: cgroup.events, memory.events, pids.events, memory.pressure, …; '' for created and removed.
   */
  file: string
  /**
   * The key in the file (populated, frozen, oom, oom_kill, max, high, …). For pressure `some` or `full`; without a file `created` or
   * `removed`.
   */
  kind: string
  /** Number of events since the last one of this kind was emitted. For populated and frozen, the new state: 0 or 1. */
  count: number
  /** Total number of such events since the group was created; absent if the kernel does not count them. */
  total?: number
}

/** A pressure trigger: fires when tasks stalled for this long within a window (accounting/psi.rst). */
export interface PressureTrigger {
  /** The resource for which tasks wait. Required. */
  resource: 'cpu' | 'memory' | 'io'
  /** `some`: at least one task waits. `full`: all tasks wait. Required. */
  kind: 'some' | 'full'
  /** Time that tasks wait within the window, in microseconds. Required. */
  stallUsec: number
  /** Length of the window in microseconds: 500,000 to 10,000,000; without CAP_SYS_RESOURCE a multiple of 2,000,000. Required. */
  windowUsec: number
}

/** Parses a trigger such as `memory:some:150ms/1s`. @throws OPTION_INVALID */
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

/** For each field of a trigger: whether a value is valid, and what is accepted. */
const triggerFields: { readonly [key in keyof PressureTrigger]: readonly [(value: unknown) => boolean, string] } = {
  resource: [(value) => ['cpu', 'memory', 'io'].includes(value as string), "'cpu', 'memory' or 'io'"],
  kind: [(value) => ['some', 'full'].includes(value as string), "'some' or 'full'"],
  stallUsec: [isMicroseconds, 'microseconds, such as 150000'],
  windowUsec: [isMicroseconds, 'microseconds, such as 2000000'],
}

function isMicroseconds(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) > 0
}

/** Checks the value of the option `pressure`. The kernel checks the lengths. @throws OPTION_INVALID */
export function checkTriggers(triggers: unknown): void {
  const invalid = (name: string, value: unknown, accepted: string) => fail('OPTION_INVALID', { name, value, accepted })
  if (triggers === undefined) return
  if (!Array.isArray(triggers)) throw invalid('pressure', triggers, 'a list of triggers')
  for (const [i, trigger] of triggers.entries()) {
    if (typeof trigger !== 'object' || trigger === null) throw invalid(`pressure[${i}]`, trigger, 'a trigger')
    for (const [key, [isValid, accepted]] of Object.entries(triggerFields))
      if (!isValid(trigger[key])) throw invalid(`pressure[${i}].${key}`, trigger[key], accepted)
  }
}

/** Keys that report a state instead of a count. */
const states = new Set(['populated', 'frozen'])

/** Creates an event with the current time. */
export function makeEvent(paths: GroupPaths, file: string, kind: string, count: number, total?: number): GroupEvent {
  return { at: Date.now(), group: paths.path, file, kind, count, ...(total !== undefined && { total }) }
}

/** Open event sources of one group. */
export interface Sources {
  /** Emits the events that happened since the previous call. */
  read: () => void
  close: () => void
}

/** How to watch a group, and the listener that receives its events. */
export interface Watch {
  /** True if each group reports only its own events, because each of its descendants is watched separately. */
  local: boolean
  pressure: readonly PressureTrigger[]
  emit: (event: GroupEvent) => void
  /** Called when the kernel reports a change of a file. Calling `read` emits the events. */
  changed: (read: () => void) => void
}

/** Opens all event sources of one group. `late` means that the group was created during the watch. */
export function openSources(paths: GroupPaths, { local, pressure, emit, changed }: Watch, late: boolean): Sources {
  const closers: (() => void)[] = []
  const readers: (() => void)[] = []
  try {
    for (const [directory, file] of eventFiles(paths, local)) {
      // if the group was created during the watch, all its counts are new events
      const read = counter(paths, directory, file, emit, late)
      const stop = watchPath(`${directory}/${file}`, () => changed(read))
      if (stop) closers.push(stop)
      readers.push(read)
      if (!late) read()
    }
    if (late) for (const read of readers) read()
    const memory = paths.directories.memory
    if (memory !== undefined) {
      const read = counter(paths, memory, 'memory.oom_control', emit, late)
      closers.push(openTrigger(memory, 'memory.oom_control', '', () => changed(read)))
      readers.push(read)
    }
    for (const trigger of pressure) closers.push(openPressure(paths, trigger, emit))
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

/**
 * Returns the files of a group that count events. With `local`, these count only the group's own events (.local). Otherwise they include
 * its descendants.
 */
function eventFiles(paths: GroupPaths, local: boolean): [directory: string, file: string][] {
  const found: [string, string][] = []
  for (const directory of new Set(Object.values(paths.directories))) {
    const names = readFileNames(directory).filter((name) => /\.events(\.local)?$/.test(name))
    for (const name of names) {
      const both = name.endsWith('.local') || names.includes(`${name}.local`)
      if (!both || name.endsWith('.local') === local) found.push([directory, name])
    }
  }
  return found
}

/**
 * Returns a function that emits how much each counter of a file has risen. The caller calls this function when the file may have changed.
 */
function counter(
  paths: GroupPaths,
  directory: string,
  file: string,
  emit: (event: GroupEvent) => void,
  late: boolean,
): () => void {
  const name = file.replace(/\.local$/, '')
  let before: { [key: string]: number } = {}
  /** Reads the counters. A removed group counts as not populated and not frozen. */
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
        emit(states.has(key) ? makeEvent(paths, name, key, value) : makeEvent(paths, name, key, value - known, value))
    }
    // keep the last values: the file of a group that is being removed reads as empty
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
  watchJob(id, (event) => {
    if (event.kind === 'triggered') fired(event.count, event.gone)
  })
  return () => {
    addon.closeTrigger(id)
    unwatchJob(id)
  }
}

function openPressure(paths: GroupPaths, trigger: PressureTrigger, emit: (event: GroupEvent) => void): () => void {
  const directory = paths.directories['']
  const file = `${trigger.resource}.pressure`
  if (directory === undefined)
    throw fail('CGROUP_FILE_MISSING', {
      file,
      group: paths.path,
      evidence: ['pressure is counted only in a v2 tree, and the group is not in one'],
      remedy: 'mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified, and create the group there too',
    })
  const text = `${trigger.kind} ${trigger.stallUsec} ${trigger.windowUsec}`
  return openTrigger(`${directory}/${file}`, '', text, (_count, gone) => {
    if (!gone) emit(makeEvent(paths, file, trigger.kind, 1))
  })
}
