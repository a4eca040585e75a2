// SPDX-License-Identifier: Apache-2.0
// Cgroup, the library's handle of a control group, with the same interface on v2, hybrid and v1. Reads are synchronous. Changes return
// promises, because the kernel may take time.

import { describeFile } from '../cgroup/controllers/catalog.ts'
import { delegateGroup } from '../cgroup/create.ts'
import { checkTriggers, type GroupEvent } from '../cgroup/event-sources.ts'
import type { FileInputs, FileValues } from '../cgroup/file-values.ts'
import { formatFile } from '../cgroup/format-file.ts'
import { freezeGroup, killGroup } from '../cgroup/freeze-kill.ts'
import {
  dropGroup,
  listIds,
  makeGroup,
  moveIds,
  openGroup,
  readFileText,
  readFileValue,
  reclaimMemory,
} from '../cgroup/group.ts'
import { childGroupPaths, type GroupPaths } from '../cgroup/group-paths.ts'
import { type GroupPressure, type GroupStats, readPressures, readStats } from '../cgroup/group-stats.ts'
import { assignFiles, directoryOf, type FileSetting, type SetOptions } from '../cgroup/set-file.ts'
import { type WatchOptions, watchGroups } from '../cgroup/watch.ts'
import { fileOf, parseLimits } from '../options/limit-options.ts'
import type { Limits, LimitValues } from '../options/limit-words.ts'
import { refuseUnknown } from '../options/unknown-option.ts'
import { EventEmitter, on } from '../system/streams.ts'
import type { Limit } from '../text/units.ts'

/** Options of `Cgroup.create`. */
export interface CreateOptions {
  /** Controllers by v2 name. The default is cpu, io, memory and pids, as far as the host has them. Controllers of `limits` and `files` are added. */
  controllers?: readonly string[]
  /** Limits to set, named as in the options of `run`, such as `{ memory: '50M', cpus: 0.5 }`. None by default. */
  limits?: Limits
  /** Files to set, under v2 names, such as `{ 'memory.max': '50M' }`. None by default. */
  files?: Partial<FileInputs> & { [file: `${string}.${string}`]: unknown }
  /** Parent of the new group. A path with a leading slash starts at the root of the hierarchies. By default `hutch` for root, and the caller's own group for other users. */
  parent?: string
  /** True if an existing group is used; false (the default) if it is an error. */
  mayExist?: boolean
  /** True if hutch may move processes of an ancestor to a leaf there when they prevent enabling controllers. False by default. */
  evacuate?: boolean
}

/** Returns the kernel files to write for these limits, with their values. @throws OPTION_UNKNOWN, OPTION_INVALID, OPTION_CONFLICT */
function filesOf(limits: Limits, call: 'Cgroup.create' | 'Cgroup.set'): FileSetting[] {
  const name = call === 'Cgroup.set' ? '' : 'limits'
  const writes = parseLimits(limits, 'library', formatFile, undefined, { call, name })
  return writes.map(({ file, value }) => [file, value])
}

/** Returns cpu.max as a number of CPUs. */
function cpusOf({ quota, period }: FileValues['cpu.max']): Limit {
  return quota === 'max' ? 'max' : quota / period
}

/**
 * A control group. `await using` kills its processes and removes it at the end of the block.
 * @see https://docs.kernel.org/admin-guide/cgroup-v2.html
 * @example
 * const group = await Cgroup.create(`example-${process.pid}`, { limits: { pids: 20 } })
 * console.log(group.get('pids'), group.processes()) // 20 []
 * await group.remove()
 */
export class Cgroup {
  /** Path from the root of the hierarchies, such as `/hutch/build`. */
  readonly path: string
  /** Directories by hierarchy. The key is `''` for the v2 tree, and the controller's name for v1. */
  readonly directories: { readonly [controller: string]: string }

  private constructor(paths: GroupPaths) {
    this.path = paths.path
    this.directories = paths.directories
  }

  /**
   * Creates a group and its missing ancestors. If a step fails, hutch removes what it created. For root, a name is created below `hutch`;
   * for other users, below the caller's own group. A name with a leading slash is a path from the root.
   *
   * @throws CGROUP_CONTROLLER_MISSING, CGROUP_FILE_INVALID, CGROUP_FILE_MISSING, CGROUP_LIMIT_BELOW_USE, CGROUP_LIMIT_UNSUPPORTED,
   * CGROUP_MISSING, CGROUP_NOT_EVACUATED, CGROUP_NOT_RESTORED, CGROUP_PATH_INVALID, CGROUP_POPULATED, CGROUP_REFUSED, CGROUP_THREADED,
   * CGROUP_WRITE_REFUSED
   * @throws OPTION_UNKNOWN, OPTION_INVALID, OPTION_CONFLICT for options and limits
   */
  static async create(name: string, options: CreateOptions = {}): Promise<Cgroup> {
    refuseUnknown('Cgroup.create', options)
    const { limits = {}, files = {}, ...creation } = options
    return new Cgroup(await makeGroup(name, [...filesOf(limits, 'Cgroup.create'), ...Object.entries(files)], creation))
  }

  /**
   * Opens an existing group by its path, or by a unique name.
   * @throws CGROUP_PATH_INVALID, CGROUP_NOT_FOUND, CGROUP_AMBIGUOUS, CGROUP_MISSING
   */
  static open(name: string): Cgroup {
    return new Cgroup(openGroup(name))
  }

  /**
   * Returns a file's value, typed for every v2 file, also on v1. Bytes and counts are numbers or `'max'`; keyed files are objects. An
   * unknown file is returned as text. A limit can also be named as in the options of `run`: `get('memory')` is `get('memory.max')`, and `get('cpus')` is a
   * number of CPUs.
   * @throws CGROUP_FILE_INVALID, CGROUP_FILE_MISSING, CGROUP_REFUSED, CGROUP_TEXT_UNKNOWN
   */
  get<W extends keyof LimitValues>(limit: W): LimitValues[W]
  /** Returns the value of a kernel file. @throws the same errors as the first form */
  get<F extends keyof FileValues>(file: F): FileValues[F]
  /** Returns the value of a file that hutch does not know, as text. @throws the same errors as the first form */
  get(file: string): unknown
  get(name: string): unknown {
    const value = readFileValue(this, fileOf(name))
    return name === 'cpus' ? cpusOf(value as FileValues['cpu.max']) : value
  }

  /** Returns a file's text in the kernel's format, without the last newline. @throws the same errors as `get` */
  read(file: string): string {
    return readFileText(this, file)
  }

  /**
   * Writes a file. Unless `force` is true, refuses a memory.max below the current use, and controllers for the children of a group that
   * contains processes. With `evacuate`, first moves those processes to a leaf of the group. A limit can also be named as in the options of `run`:
   * `set('memory', '50M')`. `set({ memory: '50M', pids: 10 })` sets several limits, or none if one is refused.
   *
   * @throws CGROUP_FILE_INVALID, CGROUP_FILE_MISSING, CGROUP_LIMIT_BELOW_USE, CGROUP_LIMIT_UNSUPPORTED, CGROUP_NOT_EVACUATED,
   * CGROUP_NOT_RESTORED, CGROUP_POPULATED, CGROUP_THREADED, CGROUP_WRITE_REFUSED, OPTION_UNKNOWN, OPTION_INVALID, OPTION_CONFLICT
   */
  async set(limits: Limits, options?: SetOptions): Promise<void>
  /** Writes one limit, by its name in `Limits`. @throws the same errors as the first form */
  async set<W extends keyof LimitValues>(limit: W, value: Limits[W], options?: SetOptions): Promise<void>
  /** Writes a kernel file. @throws the same errors as the first form */
  async set<F extends keyof FileInputs>(file: F, value: FileInputs[F], options?: SetOptions): Promise<void>
  /** Writes a file that hutch does not know. @throws the same errors as the first form */
  async set(file: string, value: unknown, options?: SetOptions): Promise<void>
  async set(what: string | Limits, second?: unknown, third?: SetOptions): Promise<void> {
    const isObject = typeof what === 'object' && what !== null
    const options = (isObject ? (second as SetOptions) : third) ?? {}
    refuseUnknown('Cgroup.set', options)
    // every kernel file has a dot in its name, except some of v1
    const isWord = typeof what === 'string' && /^\w[\w-]*$/.test(what) && describeFile(what, 'v1') === undefined
    const files: FileSetting[] =
      isObject || isWord ? filesOf(isObject ? what : { [what]: second as number }, 'Cgroup.set') : [[what, second]]
    await assignFiles(this, files, options)
  }

  /** Returns what the group and its descendants use. A figure that the host does not report is absent. */
  stats(): GroupStats {
    return readStats([this])[0]!
  }

  /**
   * Returns how long the group's tasks waited for CPU, memory and I/O. Returns an empty object without a v2 tree or PSI.
   */
  pressure(): GroupPressure {
    return readPressures([this])[0]!
  }

  /**
   * Yields the group's events until the loop ends, `signal` aborts, or the group is removed. It waits for notifications and does not poll.
   * Events that arrive faster than they are read are added up in `count`.
   *
   * @throws OPTION_UNKNOWN, OPTION_INVALID
   * @throws CGROUP_FILE_MISSING, CGROUP_WRITE_REFUSED for a pressure trigger
   */
  async *events(options: WatchOptions & { signal?: AbortSignal } = {}): AsyncGenerator<GroupEvent, void, undefined> {
    refuseUnknown('Cgroup.events', options)
    checkTriggers(options.pressure)
    const source = new EventEmitter()
    const close = watchGroups(
      [this],
      options,
      (event) => source.emit('event', event),
      () => source.emit('close'),
    )
    try {
      const waiting = on(source, 'event', { close: ['close'], ...(options.signal && { signal: options.signal }) })
      for await (const [event] of waiting) yield event as GroupEvent
    } catch (error) {
      if (!options.signal?.aborted) throw error
    } finally {
      close()
    }
  }

  /**
   * Moves processes, with all their threads, into the group.
   * @throws CGROUP_WRITE_REFUSED: no such process (ESRCH), a group that enables controllers for children (EBUSY), …
   * @throws OPTION_INVALID, CGROUP_FILE_MISSING
   */
  async add(...pids: number[]): Promise<void> {
    await moveIds(this, pids, 'cgroup.procs')
  }

  /** Moves single threads into the group; on v2 only within their threaded domain. @throws the same errors as `add` */
  async addThreads(...tids: number[]): Promise<void> {
    await moveIds(this, tids, 'cgroup.threads')
  }

  /** Kills all processes of the group and its descendants, even frozen ones, and waits until they have ended. @throws the same errors as `freeze` */
  async kill(): Promise<void> {
    await killGroup(this)
  }

  /**
   * Freezes all tasks of the group and its descendants, and waits until they are frozen.
   *
   * @throws CGROUP_FILE_MISSING, CGROUP_REFUSED, CGROUP_WRITE_REFUSED
   */
  async freeze(): Promise<void> {
    await freezeGroup(this, true)
  }

  /** Thaws the group and waits until it is thawed. @throws the same errors as `freeze` */
  async thaw(): Promise<void> {
    await freezeGroup(this, false)
  }

  /**
   * Reclaims memory from the group. `amount` is bytes, or text such as `'50M'`. Requires Linux 5.19 on v2; v1 reclaims as much as possible.
   * Returns false if the kernel reclaimed less.
   * @throws OPTION_INVALID, CGROUP_FILE_MISSING, CGROUP_WRITE_REFUSED
   */
  async reclaim(amount: number | string): Promise<boolean> {
    return reclaimMemory(this, amount)
  }

  /** Returns the child groups. */
  children(): Cgroup[] {
    return childGroupPaths(this).map((paths) => new Cgroup(paths))
  }

  /** Returns the process ids in the group itself; 0 for a process of another pid namespace. */
  processes(): number[] {
    return listIds(this, 'cgroup.procs')
  }

  /** Returns the thread ids in the group itself. */
  threads(): number[] {
    return listIds(this, 'cgroup.threads')
  }

  /**
   * Delegates the group to a user, who can then create groups below it and move processes among them, but not change its limits.
   * @throws CGROUP_REFUSED
   */
  async delegate(uid: number, gid: number): Promise<void> {
    delegateGroup(this, uid, gid)
  }

  /**
   * Removes the group. With `recursive`, removes its descendants too; with `kill`, kills their processes first. Both are false by default.
   * @throws CGROUP_REFUSED, CGROUP_FILE_MISSING, CGROUP_WRITE_REFUSED, CGROUP_PATH_INVALID, OPTION_UNKNOWN, OPTION_INVALID
   */
  async remove(options: { recursive?: boolean; kill?: boolean } = {}): Promise<void> {
    refuseUnknown('Cgroup.remove', options)
    await dropGroup(this, options)
  }

  /** Kills the processes of the group and its descendants, and removes them. @throws the same errors as `remove` */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.remove({ recursive: true, kill: true })
  }

  /** Returns the directory that contains a file, for operations that this class lacks. Returns undefined if no hierarchy has the file. */
  directoryOf(file: string): string | undefined {
    return directoryOf(this, file)
  }
}
