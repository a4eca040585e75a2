// SPDX-License-Identifier: Apache-2.0
// Loads the C core (native/node/addon.c), and gives names to its numbers. All other files load it through this one.

import { fail } from '../errors/errors.ts'
import { buildDirectory, findInsideProgram, loadAddon, readCompiledStart, toolPath } from './addon.ts'
import { getSystemErrorName, systemConstants } from './constants.ts'
import { systemError } from './errors.ts'

export { buildDirectory, findInsideProgram, readCompiledStart, toolPath }

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

/** What a job waits for, with the numbers of native/wire/program.h: the request of a pool, its root, or its start. */
export const readyFor = { order: 1, root: 2, start: 3 } as const

/**
 * Kinds of process events, with the numbers of native/node/proc-connector.c. `changed`: the process executed a program,
 * or changed its user or group. `lost`: the kernel dropped events.
 */
export const changeKinds = { lost: 1, forked: 2, changed: 3 } as const

/** Bits of flock(2). `atOnce`: return -EAGAIN instead of waiting for the lock. */
export const lockModes = { shared: 1, exclusive: 2, atOnce: 4 } as const

/** Receives an event of a job. The meaning of the arguments after the job's number depends on the kind: see native/node/job.h. */
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
  /** Sets the callback that receives all events of the jobs that this thread started. */
  listen(callback: Listener): void
  /**
   * Runs the outer section of a program up to the wait. Returns [job, pid]. On failure returns [0, index of the outer
   * operation, errno, number of the system call], with nothing left behind. There are at least three streams.
   * -1 means /dev/null for stdin, stdout and stderr, and a closed number for the others.
   */
  launch(program: Uint8Array, streams: Int32Array): [number, number, number?, number?]
  /** Sends a signal to all processes of the job. Returns 0 or -errno. */
  signal(job: number, signal: number): number
  /** Stops the job: sends SIGTERM now, and SIGKILL after the delay in the job's program. Returns 0 or -errno. */
  stop(job: number): number
  /** Holds back signals to this process until `forward` is called, so that they do not end it. Called before a start. */
  holdSignals(): number
  /**
   * Passes signals that this process receives on to the job. With the job 0, ends this, and returns the received
   * signals: bit n for signal n.
   */
  forward(job: number): number
  /** Ends this process by the default action of a signal. Returns only if that action does not end a process. */
  dieBy(signal: number): void
  /** Asks the kernel to kill this process when its parent ends. `parent` is the expected process id of the parent. */
  dieWithParent(parent: number): void
  /** Returns true if this process's environment has changed since the last call. Always true in a worker thread. */
  environmentChanged(): boolean
  /**
   * Reads every file name in every directory. Both arguments are lists separated by NUL. For each file, the result
   * contains its length or -errno as i32, its bytes, and zeros up to a multiple of 4.
   */
  readFiles(directories: string | Uint8Array, names: string): Buffer
  /** Returns the last 64 KiB of the kernel's log, as syslog(2) returns them; or -errno. */
  readLogTail(): Buffer | number
  /**
   * Opens files to be read repeatedly by `readAgain`; the arguments are those of `readFiles`. Returns -errno if this
   * process cannot open all of them.
   */
  openReader(directories: string | Uint8Array, names: string): object | number
  readAgain(reader: object): Buffer
  /** Closes the files of a reader from `openReader`. Without this call, they are closed when the reader is garbage-collected. */
  closeReader(reader: object): void
  /**
   * Lists all groups below a directory. Each entry is `+` (with children) or `-`, the relative path, and NUL. Returns a string if all names
   * are ASCII.
   */
  walkGroups(directory: string | Uint8Array): string | Buffer
  /**
   * Removes groups that killed hutch processes left directly below these directories, a list separated by NUL. Returns
   * true if it had to stop after `ms` milliseconds before it was done.
   */
  sweepGroups(directories: string | Uint8Array, pidNamespace: number, ms: number): boolean
  /**
   * Returns the id of the user whose hutch holds the lock of a job's group. Returns -1 if no process holds it, and
   * -EACCES if this user may not find out.
   */
  groupHolder(directory: string | Uint8Array): number
  /** Locks a directory with flock(2). `how` is the sum of `lockModes`. Returns the descriptor that holds the lock; or -errno. */
  lockDirectory(path: string | Uint8Array, how: number): number
  /**
   * Sends a signal to all processes that a cgroup.procs file lists, except the process `except`. Returns the number of
   * listed processes, or -errno if a signal could not be sent.
   */
  signalListed(file: string | Uint8Array, signal: number, except: number): number
  /**
   * Opens a file for reading below a root directory, as a process with that root would see it. Returns a close-on-exec
   * descriptor; or -errno.
   */
  openInRoot(root: string, path: string): number
  /**
   * Waits on a socket for the master of a terminal, and gives it the size of this process's terminal. Returns the
   * descriptor, close-on-exec; or -errno.
   */
  receiveTerminal(socket: number): number
  /**
   * Copies between the master of a terminal and the standard streams until a child has ended. Nothing else runs in this
   * thread meanwhile. Returns 0 or -errno.
   */
  followTerminal(master: number, pid: number): number
  /**
   * Sends a signal to the process with this id and start time (field 22 of proc_pid_stat(5)). Signal 0 only checks.
   * Returns 0 or -errno; ESRCH if it has ended.
   */
  signalProcess(pid: number, started: number, signal: number): number
  /**
   * Waits until the process with this id and start time has ended, for at most `ms` milliseconds. Returns 1 if it has
   * ended, 0 if it runs; or -errno.
   */
  awaitProcess(pid: number, started: number, ms: number): number
  /**
   * Creates a reader of the same files in many groups that come and go. `names` is a list separated by NUL. The first
   * `signs` files are read each time. The rest are read only if these have changed, and occasionally.
   */
  openFollower(names: string, signs: number): object
  /** Adds a group to a follower. Returns the number of its slot; or -errno. */
  follow(follower: object, directory: string | Uint8Array): number
  unfollow(follower: object, slot: number): void
  /**
   * Returns the texts that differ from the previous sample. With `full`, also reads the files that are otherwise read
   * rarely. For each text the result contains, as i32, the slot, the file's index and the length or -errno. The bytes
   * follow, padded with zeros to a multiple of 4.
   */
  lookAgain(follower: object, full: boolean): Buffer
  closeFollower(follower: object): void
  /**
   * Creates a pressure trigger, or an eventfd on v1. For a trigger, `where` is the pressure file, `file` is '', and
   * `argument` is such as "some 150000 1000000". For an eventfd, `where` is the group, and `file` is the watched file
   * in it. Returns an id, or -errno. Until it is closed, it keeps this process running.
   */
  openTrigger(where: string, file: string, argument: string): number
  closeTrigger(id: number): number
  /**
   * Watches this process's end of a pipe, and makes it non-blocking; `closeTrigger` also closes it. Returns an id, or
   * -errno.
   */
  watchPipe(fd: number, writes: boolean): number
  /**
   * Requests one event when the pipe can be read or written, or when its other end is closed, and keeps this process
   * running. If `waits` is false, withdraws the request. Returns 0 or -errno.
   */
  armPipe(id: number, waits: boolean): number
  /** Reads bytes from a descriptor. Returns their number, 0 at the end of the data; or -errno. */
  readSome(fd: number, bytes: Uint8Array): number
  /** Writes bytes to a descriptor. Returns their number; or -errno. */
  writeSome(fd: number, bytes: Uint8Array): number
  /** Closes a descriptor. Returns 0 or -errno. */
  close(fd: number): number
  /** Checks access by access(2), with the mode bits of `fileConstants`. Returns 0 or -errno. */
  access(path: string | Uint8Array, mode: number): number
  /**
   * Reports events of all processes of the machine. The callback receives batches of [kind, pid, parent, usec]. `kind`
   * is one of changeKinds, and `usec` is the time by the monotonic clock in microseconds. Returns 0, or -errno: EPERM;
   * ECONNREFUSED outside the initial network namespace; ETIMEDOUT outside the initial pid namespace.
   */
  watchProcesses(callback: (changes: Float64Array) => void): number
  stopProcesses(): void
  /**
   * Joins groups and executes the command in place of this process. `procs` and `argv` are lists separated by NUL;
   * `argv` has `count` words. `openFiles` is the command's soft limit of descriptors; 0 keeps the limit. Returns only
   * on failure: [index in `procs`, or -1 if exec failed; errno].
   */
  exec(procs: string | Uint8Array, argv: string | Uint8Array, count: number, openFiles: number): [number, number]
  /**
   * Returns a namespace that is related to the namespace `fd`: its parent (which = 0), or the user namespace that owns
   * it (which = 1). The result is a close-on-exec descriptor; or -errno.
   */
  namespaceLink(fd: number, which: 0 | 1): number
  /** Returns the id of the user that created a user namespace; or -errno. */
  namespaceOwner(fd: number): number
  /** Returns the network namespace of a running job as a close-on-exec descriptor; or -errno. */
  networkOf(job: number): number
  /** Lets a job continue that waits until its network is connected, or before its root is changed. Returns 0 or -errno. */
  release(job: number): number
  /**
   * Sends a job's request to a prestarted sandbox: operations from encodeOrder, descriptors for its streams, and its
   * limits. A stream of -1 stays /dev/null, or closed above the standard streams. The limits of wall time and CPU time
   * (0: no limit) start now. Returns 0 or -errno; ESRCH and EPIPE mean that the sandbox has ended.
   */
  order(job: number, ops: Uint8Array, streams: Int32Array, timeoutMs: number, cpuMs: number): number
  /**
   * Creates a socket at a path, on which a container waits for its start. Only this user can connect to it. Returns a
   * close-on-exec descriptor; or -errno. Close it after the launch: while any process has it, a start waits.
   */
  listenAt(path: string): number
  /** Connects to a stream socket at a path of any length. Returns a close-on-exec descriptor; or -errno. */
  connectTo(path: string): number
  /**
   * Moves a network device into the network namespace of a process, and sets it up there. The name may contain %d. Returns
   * 0, or -(errno + 4096 * the number of the step that the kernel refused).
   */
  moveDevice(device: string, pid: number, name: string): number
  /** Sends a text with a pidfd of a child process over a socket. Returns 0 or -errno. */
  sendPidfd(socket: number, pid: number, text: string): number
  /**
   * Starts the container that waits at a socket. Returns the reports of its refused exec, or no bytes if its command
   * runs. Returns -errno if it could not be started. ECONNREFUSED and ENOENT: no container waits. ECONNRESET and EPIPE:
   * it ended, or another process started it. `agent` is -1, or a socket that the container's process gets together with
   * `text`, for the message with the listener of its filter. EMSGSIZE: the text is too long.
   */
  startWaiting(path: string, agent: number, text: Uint8Array): Buffer | number
  /** Mounts a namespace on a file, which keeps it alive without processes. Returns 0 or -errno. */
  keepNetwork(fd: number, file: string): number
  /** Removes a mount that `keepNetwork` made. The first argument has no meaning and is 0. */
  dropNetwork(unused: 0, file: string): number
  /**
   * Returns the id that this process's network namespace has assigned to the network namespace `fd`. Returns -1 if it
   * has assigned none, and -2 if the kernel does not report it.
   */
  networkId(fd: number): number
  /**
   * Returns the network namespace of a socket that another process has open. `fd` is the descriptor's number in that
   * process. The result is a close-on-exec descriptor; or -errno.
   */
  socketNetwork(pid: number, fd: number): number
  /** Returns the version of Landlock that the kernel supports; or -errno. */
  landlock(): number
  /** Returns the name of a system call, if hutch itself makes this call; otherwise ''. */
  callName(number: number): string
  /** Creates a pipe. Returns [read end, write end], both close-on-exec; or [-errno]. */
  pipe(): [number, number?]
  /** Creates a connection (socketpair). Returns its two ends, both close-on-exec; or [-errno]. */
  socketPair(): [number, number?]
  /** Duplicates a descriptor. Returns the new descriptor, which is close-on-exec; or -errno. */
  duplicate(fd: number): number
  /** Ends writing to a connection: the other end then reads an end of file. Returns 0 or -errno. */
  endWriting(fd: number): number
}

/**
 * Returns the name of an errno as in the kernel's documentation. Differs from Node for EOPNOTSUPP, which Node calls
 * ENOTSUP because both have one number, and for names that Node lacks, such as ENOEXEC.
 */
export function errnoName(negative: number): string {
  const name = getSystemErrorName(negative)
  if (name === 'ENOTSUP') return 'EOPNOTSUPP'
  if (name.startsWith('E')) return name
  return Object.entries(systemConstants.errno).find(([, number]) => number === -negative)?.[0] ?? `errno ${-negative}`
}

let loaded: Native | undefined

/** Returns the C core, and loads it at the first call. @throws NATIVE_MISSING */
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

/** Closes a descriptor that the C core opened. Node's closeSync would warn about it in a worker thread, and Deno's refuses it. */
export function closeDescriptor(fd: number): void {
  native().close(fd)
}

/**
 * Checks access to a path by access(2). By default checks only that the path exists. Deno's accessSync is not used,
 * because it compares mode bits and ignores capabilities. @throws an Error whose code is the errno
 */
export function accessSync(path: string | Uint8Array, mode = 0): void {
  const status = native().access(path, mode)
  if (status < 0) throw systemError('access', errnoName(status), status)
}
