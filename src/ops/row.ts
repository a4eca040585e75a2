// SPDX-License-Identifier: Apache-2.0
// The type of a row in the table of operations, and helpers that several rows use. Pure.
import type { HutchError } from '../errors/errors.ts'
import { asRoot, oneOf, type RemedyText, type Way, withOption } from '../errors/remedy-text.ts'

/** Kinds of fields in an encoded operation, with their TypeScript types. */
interface FieldTypes {
  u32: number
  u64: number
  /** The same with all 64 bits. */
  exact64: number | bigint
  string: string
  strings: readonly string[]
  numbers: readonly number[]
}

type Fields = { readonly [name: string]: keyof FieldTypes }
export type Values<F extends Fields> = { [name in keyof F]: FieldTypes[F[name]] }

/** Why the kernel refused an operation, and the remedy. The reason is empty if errno alone does not show it. */
export type ErrnoWords = readonly [why: string, remedy: RemedyText]

/** The facts about a refused operation from which its error is made. */
export interface RefusedOp {
  errno: string
  /** Number of the failed part; `stepParts` in wire.ts has the names. Of checkStreams: the number of the stream plus 1. */
  part: number
  partName: string
  /** The option that requested the operation, as the user typed it. */
  origin: string
  /** Type of the source's file system; empty if unknown. */
  fileSystem: string
  /** Directory of the job's first group. */
  group?: string | undefined
  /** True if the sandbox maps the ids of the source, and no option requests that. */
  mappedBySandbox?: boolean
  /** Words about limits of the job that are the cause, as `limits` of the row lists them. */
  limits?: ErrnoWords | undefined
  /** Returns the value of another group, or of the machine, that conflicts with the value of a refused write. */
  conflict?: () => { evidence: string[]; remedy: string } | undefined
}

/** A limit of the job by which the kernel refuses an operation: a resource limit, or a kernel file's limit below `min`. */
export type LimitCause = { ulimit: string } | { file: string; min: string }

/** Describes one kind of operation: everything that hutch knows about it, except its handler in C. */
export interface OpRow<F extends Fields = Fields> {
  /** The operation's number in native/wire/program.h; a test compares them. */
  code: number
  /** The system call that fails if the kernel refuses the operation. */
  call: string
  /** The fields, in the order of the encoded form. */
  fields: F
  /** What the operation does, for errors: words that follow "cannot". */
  what?: string | ((op: Values<F>) => string)
  /** The line of --explain, and the equivalent shell command. The command is empty if a shell has no equivalent. */
  explain: (op: Values<F>) => { words: string; shell: string }
  /** The capability or right whose absence causes EPERM or EACCES, in words for the error. */
  right?: string
  /** Returns options that avoid the need for `right`, under their names in each tool. */
  ways?: () => Way[]
  /** Returns the remedy for an errno, for the error message. */
  remedy?: (op: Values<F>, errno: string) => RemedyText | undefined
  /** Returns the error if the operation has one of its own. Otherwise, the error is made from `what`, `right` and `remedy`. */
  refused?: (op: Values<F>, refusal: RefusedOp) => HutchError | undefined
  /** The job's own limits that can cause an errno. */
  limits?: { readonly [errno: string]: readonly LimitCause[] }
  /**
   * The errnos by which the kernel forbids a user namespace, and what cannot be done with it, in words. With `certain`,
   * nothing else causes these errnos in a job with a user namespace.
   */
  userNamespace?: { errnos: readonly string[]; what: string; certain?: true }
  /** Only for operations on the job's root directory: the paths that an error can be about, and words for their errors. */
  mount?: {
    source?: (op: Values<F>) => string
    target?: (op: Values<F>) => string
    words?: (refusal: RefusedOp) => ErrnoWords | undefined
  }
}

/** Returns the row unchanged. TypeScript checks it and keeps the types of its fields. */
export function row<const F extends Fields>(entry: OpRow<F>): OpRow<F> {
  return entry
}

export function fileName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** Returns the remedy if no further process can be started (EAGAIN); otherwise undefined. */
export function tasksRemedy(errno: string): string | undefined {
  if (errno !== 'EAGAIN') return undefined
  return 'a limit on tasks is reached: pids.max (see hutch why), RLIMIT_NPROC of its user, or kernel.pid_max: raise it, or end some processes'
}

/** Returns the remedy that names another parent group, in words to which the option is added. */
export function otherParent(words: string): RemedyText {
  return oneOf([withOption(`${words} with %`, 'parent')], words)
}

/** Returns remedies for a process that lacks root's privileges: run as root, or one of these other ways. */
export function needsRoot(more: readonly Way[]): RemedyText {
  return oneOf(
    [asRoot(), withOption('leave the namespaces out with %', 'isolate', 'none'), ...more],
    'hutch doctor finds what refuses it',
  )
}
