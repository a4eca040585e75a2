// SPDX-License-Identifier: Apache-2.0
// Loads the addon (native/node/addon.c), and names its numbers. No other file loads it.

import { fail } from '../errors/errors.ts'
import { buildDirectory, loadAddon } from './addon.ts'
import { getSystemErrorName, systemConstants } from './constants.ts'
import { systemError } from './errors.ts'

export { buildDirectory }

/** Kinds of events, with the numbers of native/node/job.h. */
export const eventKinds = {
  failed: 1,
  noticed: 2,
  stopped: 3,
  ended: 4,
  triggered: 5,
  ready: 6,
  unread: 7,
  refused: 8,
  program: 9,
} as const

/** Kinds of process events, with the numbers of native/node/proc-connector.c. changed: another program, user or group. lost: events were dropped. */
export const changeKinds = { lost: 1, forked: 2, changed: 3 } as const

/** Receives one event of one job. The meaning of a to d depends on the kind: see native/node/job.h. */
export type Listener = (
  job: number,
  kind: number,
  a: number,
  b: number,
  c: number,
  d: number,
  userUsec: number,
  systemUsec: number,
  bytes: Buffer | undefined,
  maxRss: number,
  voluntary: number,
  forced: number,
  fullSpaces: number,
  fullTables: number,
  tableLimit: number,
  stoppedProcesses: number,
  frozen: number,
) => void

/** The addon's exports. */
export interface Native {
  /** Sets the callback for all events of this thread's jobs. */
  listen(callback: Listener): void
  /**
   * Runs a program's outer section up to the wait. Returns [job, pid], or [0, outer step, errno, number of the call] with nothing left
   * behind. For a stream, -1 means /dev/null.
   */
  launch(program: Uint8Array, stdin: number, stdout: number, stderr: number): [number, number, number?, number?]
  /** Sends a signal to all processes of the job. Returns 0 or -errno. */
  signal(job: number, signal: number): number
  /** Sends SIGTERM now, and SIGKILL after the delay that the program contains. Returns 0 or -errno. */
  stop(job: number): number
  /** Makes signals to this process wait for `forward`, instead of ending the process. Called before a start. */
  holdSignals(): number
  /** Passes signals of this process on to the job. With 0, stops that and returns the received signals: bit n for signal n. */
  forward(job: number): number
  /** Ends this process by a signal's default action. Returns only if the signal does not end a process. */
  dieBy(signal: number): void
  /** Requests that the kernel kills this process when its parent, which has this id, ends. */
  dieWithParent(parent: number): void
  /** Returns whether the process's environment has changed since the last call; true in a worker thread. */
  environmentChanged(): boolean
  /**
   * Reads every name in every directory; both arguments are NUL-separated. The result has i32 length or -errno, the bytes, and zeros up to
   * a multiple of 4.
   */
  readFiles(directories: string | Uint8Array, names: string): Buffer
  /** Returns the last 64 KiB of the kernel's log, as syslog(2) returns them; or -errno. */
  readLogTail(): Buffer | number
  /** Opens the same files for `readAgain`. Returns -errno if the process may not open that many. */
  openReader(directories: string | Uint8Array, names: string): object | number
  readAgain(reader: object): Buffer
  /** Closes the files of a reader. Garbage collection also closes the files of an unused reader. */
  closeReader(reader: object): void
  /**
   * Lists all groups below a directory. Each entry is `+` (with children) or `-`, the relative path, and NUL. Returns a string if all names
   * are ASCII.
   */
  walkGroups(directory: string | Uint8Array): string | Buffer
  /**
   * Removes the groups that killed hutch processes left directly below NUL-separated directories. Returns true if it stopped after `ms`
   * before it was done.
   */
  sweepGroups(directories: string | Uint8Array, pidNamespace: number, ms: number): boolean
  /** Returns the user whose hutch holds a job's group; -1 if none does, -EACCES if only another user can find out. */
  groupHolder(directory: string | Uint8Array): number
  /** Locks a directory with flock(2). Returns the descriptor that holds the lock, or -errno. */
  lockDirectory(path: string | Uint8Array): number
  /**
   * Sends a signal to the processes in a cgroup.procs, except one. Returns the number of listed processes, or -errno if one signal failed.
   */
  signalListed(file: string | Uint8Array, signal: number, except: number): number
  /**
   * Reads the same files, NUL-separated, of groups that come and go. Files after the first `signs` are read only while these change, and
   * occasionally.
   */
  openFollower(names: string, signs: number): object
  /** Adds a group. Returns its slot, or -errno. */
  follow(follower: object, directory: string | Uint8Array): number
  unfollow(follower: object, slot: number): void
  /**
   * Returns each text that differs from the previous sample; with `full`, also of rarely read files. Format: i32 slot, file, length or
   * -errno; the bytes, padded with zeros to a multiple of 4.
   */
  lookAgain(follower: object, full: boolean): Buffer
  closeFollower(follower: object): void
  /**
   * Creates a pressure trigger or a v1 eventfd. For a trigger `where` is the file, `file` is '', `argument` such as "some 150000 1000000".
   * For an eventfd `where` is the group, and `file` the watched file. Returns its id, or -errno. It keeps the process running until it is
   * closed.
   */
  openTrigger(where: string, file: string, argument: string): number
  closeTrigger(id: number): number
  /**
   * Watches our end of a pipe, which becomes non-blocking; `closeTrigger` also closes it. Returns its id, or -errno. It keeps the process
   * running until it is closed.
   */
  watchPipe(fd: number, writes: boolean): number
  /** Triggers once when the pipe can be read or written, or when its other end is closed: 0 or -errno. */
  armPipe(id: number): number
  /** The number of bytes, 0 at the end; or -errno. */
  readSome(fd: number, bytes: Uint8Array): number
  /** The number of bytes; or -errno. */
  writeSome(fd: number, bytes: Uint8Array): number
  /** Closes a descriptor: 0 or -errno. */
  close(fd: number): number
  /** access(2) with the mode bits of `fileConstants`: 0 or -errno. */
  access(path: string | Uint8Array, mode: number): number
  /**
   * Follows all processes of the machine. The callback receives batches of [kind, pid, parent, usec], with the kinds of changeKinds and the
   * monotonic clock. Returns 0, or -errno: EPERM; ECONNREFUSED outside the initial network namespace; ETIMEDOUT outside the initial pid
   * namespace.
   */
  watchProcesses(callback: (changes: Float64Array) => void): number
  stopProcesses(): void
  /**
   * Joins groups and executes the command. `procs` and `argv` are NUL-separated; `argv` has `count` words. `openFiles` is its soft limit of
   * descriptors; 0 keeps the limit. Returns only on failure: [index in `procs`, or -1 if exec failed; errno].
   */
  exec(procs: string | Uint8Array, argv: string | Uint8Array, count: number, openFiles: number): [number, number]
  /**
   * Returns the parent namespace of `fd` (which = 0), or the user namespace that owns it (which = 1), as a close-on-exec descriptor; or
   * -errno.
   */
  namespaceLink(fd: number, which: 0 | 1): number
  /** Returns the user id that created a user namespace; or -errno. */
  namespaceOwner(fd: number): number
  /** Returns the network namespace of a running job as a close-on-exec descriptor; or -errno. */
  networkOf(job: number): number
  /** Lets a job continue that waits for its network. Returns 0 or -errno. */
  release(job: number): number
  /**
   * Sends the request to a waiting job: ops from encodeOrder, descriptors of its streams (-1 keeps /dev/null), and its limits. The limits
   * of wall and CPU time (0: none) start now. Returns 0 or -errno; ESRCH and EPIPE mean that it has ended.
   */
  order(
    job: number,
    ops: Uint8Array,
    stdin: number,
    stdout: number,
    stderr: number,
    timeoutMs: number,
    cpuMs: number,
  ): number
  /** Mounts a namespace on a file, which keeps it alive without processes. Returns 0 or -errno. */
  keepNetwork(fd: number, file: string): number
  /** Removes such a mount. The first argument is 0. */
  dropNetwork(unused: 0, file: string): number
  /**
   * Returns the number of the namespace `fd` in this process's network namespace; -1 if it has none, -2 if the kernel does not report it.
   */
  networkId(fd: number): number
  /** Returns the network namespace of a socket that a process has open as this descriptor, as a close-on-exec descriptor; or -errno. */
  socketNetwork(pid: number, fd: number): number
  /** Returns the version of the kernel's Landlock interface; or -errno. */
  landlock(): number
  /** Returns the name of a system call that hutch makes; '' for any other number. */
  callName(number: number): string
  /** Returns [read end, write end], both close-on-exec; or [-errno]. */
  pipe(): [number, number?]
}

/**
 * Returns the name of an errno as in the kernel's documentation. Linux uses the same number for EOPNOTSUPP and ENOTSUP, and Node knows only
 * the other name. Node lacks names such as ENOEXEC.
 */
export function errnoName(negative: number): string {
  const name = getSystemErrorName(negative)
  if (name === 'ENOTSUP') return 'EOPNOTSUPP'
  if (name.startsWith('E')) return name
  return Object.entries(systemConstants.errno).find(([, number]) => number === -negative)?.[0] ?? `errno ${-negative}`
}

let loaded: Native | undefined

/** Returns the addon, and loads it at the first call. @throws NATIVE_MISSING */
export function native(): Native {
  if (loaded) return loaded
  const path = `${buildDirectory}/hutch.node`
  try {
    loaded = loadAddon(path) as Native
  } catch (error) {
    throw fail('NATIVE_MISSING', { path, why: (error as Error).message.split('\n')[0] ?? '' }, error)
  }
  return loaded
}

/** Closes a descriptor that the addon opened. fs.closeSync warns about such a descriptor in a worker thread, and Deno refuses it. */
export function closeDescriptor(fd: number): void {
  native().close(fd)
}

/**
 * Checks access to a path by access(2); by default that the path exists. Deno's accessSync compares mode bits and ignores capabilities.
 * @throws an Error whose code is the errno
 */
export function accessSync(path: string | Uint8Array, mode = 0): void {
  const status = native().access(path, mode)
  if (status < 0) throw systemError('access', errnoName(status), status)
}
