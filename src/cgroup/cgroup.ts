// SPDX-License-Identifier: Apache-2.0
// Cgroup, the library's handle of a control group, with the same interface on v2, hybrid and v1. Reads are synchronous. Changes return
// promises, because the kernel may take time.

import { fail } from '../errors/errors.ts'
import { type Host, readHost } from '../host/host.ts'
import { EventEmitter, on } from '../system/streams.ts'
import { type Limit, parseSize } from '../text/units.ts'
import { describeFile } from './controllers/catalog.ts'
import { createGroup, delegateGroup, removeDefaultParent, removeGroup } from './create.ts'
import type { GroupEvent } from './event-sources.ts'
import type { FileInputs, FileValues } from './file-values.ts'
import { readWords, writeGroupFileAsync } from './files.ts'
import { freezeGroup, killGroup } from './freeze-kill.ts'
import {
  childGroupPaths,
  findGroupPaths,
  type GroupPaths,
  groupPathsBelow,
  groupPathsOf,
  newGroupPaths,
  present,
} from './group-paths.ts'
import { type GroupPressure, type GroupStats, readPressures, readStats } from './group-stats.ts'
import { checkOptions, fileOfLimit, filesOfLimits, type Limits, type LimitValues } from './limit-words.ts'
import { parseFileName } from './path.ts'
import { assignFiles, directoryOf, readFile, type SetOptions } from './set-file.ts'
import { controllerOf } from './v1/translate.ts'
import { parseValue } from './value-read.ts'
import { type WatchOptions, watchGroups } from './watch.ts'
import { explainWrite } from './write-errors.ts'

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
  readonly #host: Host

  private constructor(host: Host, paths: GroupPaths) {
    this.#host = host
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
    checkOptions('Cgroup.create', options)
    const host = readHost()
    if (host.layout === 'none') throw fail('CGROUP_MISSING', { need: `make the group ${name}` })
    const paths =
      options.parent === undefined
        ? newGroupPaths(host, name)
        : groupPathsBelow(groupPathsOf(host, options.parent, 'parent'), name)
    const existed = present(paths) !== undefined
    if (existed && !options.mayExist)
      throw fail('CGROUP_REFUSED', {
        what: 'make the group',
        path: paths.path,
        errno: 'EEXIST',
        remedy: 'open it, or say that it may exist (mayExist: true)',
      })
    const files = [...filesOfLimits(options.limits ?? {}, 'Cgroup.create'), ...Object.entries(options.files ?? {})]
    const needed = files
      .filter(([file]) => file.includes('.'))
      .map(([file]) => describeFile(file)?.controller ?? controllerOf(file))
      .filter((name) => name !== 'cgroup')
    const group = new Cgroup(host, createGroup(host, paths, options.controllers, options.evacuate, needed))
    try {
      await assignFiles(group, files)
    } catch (error) {
      if (!existed) await removeGroup(paths, true).catch(() => {})
      throw error
    }
    return group
  }

  /**
   * Opens an existing group by its path, or by a unique name.
   * @throws CGROUP_PATH_INVALID, CGROUP_NOT_FOUND, CGROUP_AMBIGUOUS, CGROUP_MISSING
   */
  static open(name: string): Cgroup {
    const host = readHost()
    if (host.layout === 'none') throw fail('CGROUP_MISSING', { need: `open the group ${name}` })
    return new Cgroup(host, findGroupPaths(host, name))
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
    const file = fileOfLimit(name)
    const words = describeFile(file, 'v2') ?? describeFile(file, 'v1')
    const text = this.read(file)
    const value = words ? parseValue(words, text) : text
    return name === 'cpus' ? cpusOf(value as FileValues['cpu.max']) : value
  }

  /** Returns a file's text in the kernel's format, without the last newline. @throws the same errors as `get` */
  read(file: string): string {
    return readFile(this, parseFileName(file, 'the file'))
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
    checkOptions('Cgroup.set', options)
    const isWord = !isObject && fileOfLimit(what) !== what
    const files: [string, unknown][] =
      isObject || isWord ? filesOfLimits(isObject ? what : { [what]: second }, 'Cgroup.set') : [[what, second]]
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
    checkOptions('Cgroup.events', options)
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
    await this.#move(pids, 'cgroup.procs')
  }

  /** Moves single threads into the group; on v2 only within their threaded domain. @throws the same errors as `add` */
  async addThreads(...tids: number[]): Promise<void> {
    await this.#move(tids, 'cgroup.threads')
  }

  async #move(ids: number[], file: string): Promise<void> {
    for (const id of ids)
      if (!Number.isSafeInteger(id) || id < 1)
        throw fail('OPTION_INVALID', {
          name: 'the process id',
          value: id,
          why: 'not a process id',
          accepted: 'a whole number, at least 1',
        })
    for (const [key, directory] of Object.entries(this.directories))
      for (const id of ids) {
        const name = key !== '' && file === 'cgroup.threads' ? 'tasks' : file
        const errno = await writeGroupFileAsync(directory, name, String(id))
        if (errno !== undefined) throw explainWrite({ directory, file: name, value: String(id), errno })
      }
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
    const bytes = parseSize(amount)
    if (typeof bytes !== 'number')
      throw fail('OPTION_INVALID', {
        name: 'amount',
        value: amount,
        accepted: 'a size such as 50M',
      })
    const legacy = this.directories.memory
    const directory = legacy ?? this.directories['']
    const file = legacy === undefined ? 'memory.reclaim' : 'memory.force_empty'
    const errno = await writeGroupFileAsync(directory!, file, legacy === undefined ? String(bytes) : '0')
    if (errno === 'EAGAIN' || errno === 'EBUSY') return false
    if (errno !== undefined) throw explainWrite({ directory: directory!, file, value: String(bytes), errno })
    return true
  }

  /** Returns the child groups. */
  children(): Cgroup[] {
    return childGroupPaths(this).map((paths) => new Cgroup(this.#host, paths))
  }

  /** Returns the process ids in the group itself; 0 for a process of another pid namespace. */
  processes(): number[] {
    return this.#ids('cgroup.procs')
  }

  /** Returns the thread ids in the group itself. */
  threads(): number[] {
    return this.#ids(this.directories[''] === undefined ? 'tasks' : 'cgroup.threads')
  }

  #ids(file: string): number[] {
    const ids = new Set<number>()
    for (const [key, directory] of Object.entries(this.directories))
      for (const id of readWords(directory, key !== '' && file === 'cgroup.threads' ? 'tasks' : file))
        ids.add(Number(id))
    return [...ids].sort((a, b) => a - b)
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
    checkOptions('Cgroup.remove', options)
    const { recursive = false, kill = false } = options
    if (kill) await this.kill()
    await removeGroup(this, recursive)
    removeDefaultParent(this.#host, this)
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
