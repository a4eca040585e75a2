// SPDX-License-Identifier: Apache-2.0
// The type of a row in the table of operations, and helpers that several rows use. Pure.
import type { RemedyText, Way } from '../errors/remedy-text.ts'

/** Kinds of fields in an encoded operation, with their TypeScript types. */
interface FieldTypes {
  u32: number
  u64: number
  string: string
  strings: readonly string[]
  numbers: readonly number[]
}

type Fields = { readonly [name: string]: keyof FieldTypes }
export type Values<F extends Fields> = { [name in keyof F]: FieldTypes[F[name]] }

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
  /** Only for operations on the job's root directory: the paths that an error can be about. */
  mount?: { source?: (op: Values<F>) => string; target?: (op: Values<F>) => string }
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
