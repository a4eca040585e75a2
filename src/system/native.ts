// SPDX-License-Identifier: Apache-2.0
// The only loader of the addon (native/node/addon.c), and the words for its numbers.

import { fail } from '../errors/errors.ts'
import { buildDirectory, loadAddon } from './addon.ts'
import { getSystemErrorName, systemConstants } from './constants.ts'

export { buildDirectory }

/** Kinds of events, as native/node/job.h numbers them. */
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

/** One event of one job. What a to d mean depends on the kind: native/node/job.h says it. */
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
  /** Sets the one callback for all events of this thread's jobs. */
  listen(callback: Listener): void
  /** Runs a program's outer section up to the wait: [job, pid], or [0, outer step, errno, number of the call] with nothing left behind. -1 is /dev/null. */
  launch(program: Uint8Array, stdin: number, stdout: number, stderr: number): [number, number, number?, number?]
  /** A signal to all processes of the job: 0 or -errno. */
  signal(job: number, signal: number): number
  /** SIGTERM now, SIGKILL when the program's time between the two is over: 0 or -errno. */
  stop(job: number): number
  /** Before a start: signals sent to this process wait for `forward`, instead of ending it. */
  holdSignals(): number
  /** From now on signals sent to this process go to the job; 0 ends that, and tells which came: bit n for signal n. */
  forward(job: number): number
  /** Ends this process by a signal of the system's default, as if it had no handlers; comes back only if that does not end it. */
  dieBy(signal: number): void
  /** From now on this process is killed when its parent, which has this id, ends. */
  dieWithParent(parent: number): void
  /** Returns whether the process's environment has changed since the last call; true in a worker thread. */
  environmentChanged(): boolean
  /** Both NUL-separated; for every directory every name: i32 length or -errno, the bytes, zeros up to a multiple of 4. */
  readFiles(directories: string | Uint8Array, names: string): Buffer
  /** The last 64 KiB of the kernel's log, as syslog(2) has them; or -errno. */
  readLogTail(): Buffer | number
  /** The same files kept open, for `readAgain`; -errno when the process may open no more. */
  openReader(directories: string | Uint8Array, names: string): object | number
  readAgain(reader: object): Buffer
  /** Closes the files; a reader that is no longer used is closed with its garbage collection, too. */
  closeReader(reader: object): void
  /**
   * Lists all groups below a directory: for each `+` (it has children) or `-`, its path from there, NUL. A string if everything is ASCII.
   */
  walkGroups(directory: string | Uint8Array): string | Buffer
  /** Removes what killed hutches left right below NUL-separated directories: true if it stopped, after `ms` at the latest, with more to do. */
  sweepGroups(directories: string | Uint8Array, pidNamespace: number, ms: number): boolean
  /** The user whose hutch holds a job's group; -1 without one, -EACCES if only another user may ask. */
  groupHolder(directory: string | Uint8Array): number
  /** Locks a directory (flock): the descriptor that holds the lock, or -errno. */
  lockDirectory(path: string | Uint8Array): number
  /** Signals the processes that a cgroup.procs lists, except one: how many are listed, or -errno if one refused. */
  signalListed(file: string | Uint8Array, signal: number, except: number): number
  /**
   * Reads the same files, NUL-separated, of groups that come and go. Files after the first `signs` are read only while these change, and
   * occasionally.
   */
  openFollower(names: string, signs: number): object
  /** The slot that the group has from now on; or -errno. */
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
  /**
   * Follows all processes of the machine: batches of [kind, pid, parent, usec] (changeKinds; the clock is the monotonic
   * one). 0, or -errno: EPERM, ECONNREFUSED outside of the first network namespace, ETIMEDOUT of the first pid namespace.
   */
  watchProcesses(callback: (changes: Float64Array) => void): number
  stopProcesses(): void
  /**
   * Joins groups and becomes the command: both NUL-separated, `count` words in `argv`; `openFiles` is its soft limit of
   * descriptors, 0 leaves it. It comes back only on failure: [index in `procs`, or -1 when it was the exec, errno].
   */
  exec(procs: string | Uint8Array, argv: string | Uint8Array, count: number, openFiles: number): [number, number]
  /** The namespace above that of `fd` (0), or the user namespace that owns it (1), as a close-on-exec descriptor; or -errno. */
  namespaceLink(fd: number, which: 0 | 1): number
  /** The uid that made this user namespace; or -errno. */
  namespaceOwner(fd: number): number
  /** The network namespace of a job that has not ended, as a close-on-exec descriptor; or -errno. */
  networkOf(job: number): number
  /** Lets a job go on that waits for its network: 0 or -errno. */
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
  /** Mounts a namespace on a file, so that it lives on without processes: 0 or -errno. */
  keepNetwork(fd: number, file: string): number
  /** The end of that; the first argument is 0. */
  dropNetwork(unused: 0, file: string): number
  /** By which number this process's network namespace knows that of `fd`: -1 none, -2 the kernel does not tell. */
  networkId(fd: number): number
  /** The network namespace of a socket that a process has under this number, as a close-on-exec descriptor; or -errno. */
  socketNetwork(pid: number, fd: number): number
  /** The version of Landlock's interface that the kernel has; or -errno. */
  landlock(): number
  /** The name of a system call that hutch makes, by its number; '' for any other. */
  callName(number: number): string
  /** [read end, write end], both close-on-exec; or [-errno]. */
  pipe(): [number, number?]
}

/** The name of -errno as the kernel's documents have it: Linux gives EOPNOTSUPP and ENOTSUP one number, and Node knows the other. Of ENOEXEC and some more it has the number alone. */
export function errnoName(negative: number): string {
  const name = getSystemErrorName(negative)
  if (name === 'ENOTSUP') return 'EOPNOTSUPP'
  if (name.startsWith('E')) return name
  return Object.entries(systemConstants.errno).find(([, number]) => number === -negative)?.[0] ?? `errno ${-negative}`
}

let loaded: Native | undefined

/** The addon, loaded at the first call. @throws NATIVE_MISSING */
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
