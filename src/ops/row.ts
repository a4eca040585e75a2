// SPDX-License-Identifier: Apache-2.0
// The type of a row in the table of operations, and what several rows use. Pure.

/** Kinds of fields on the wire, and what each is here. */
interface FieldTypes {
  u32: number
  u64: number
  string: string
  strings: readonly string[]
  numbers: readonly number[]
}

type Fields = { readonly [name: string]: keyof FieldTypes }
export type Values<F extends Fields> = { [name in keyof F]: FieldTypes[F[name]] }

/** One operation: everything that hutch knows of it apart from its handler in C. */
export interface OpRow<F extends Fields = Fields> {
  /** As in native/wire/program.h; a test compares the two. */
  code: number
  /** The system call that refuses when it fails. */
  call: string
  /** In the order of the wire. */
  fields: F
  /** What it does, after "cannot". */
  what?: string | ((op: Values<F>) => string)
  /** The line of --explain, and the shell line that does the same; empty if a shell has nothing like it. */
  explain: (op: Values<F>) => { words: string; shell: string }
  /** The right whose absence is the reason for EPERM and EACCES. */
  right?: string
  /** Other ways to get along without that right, as options of each tool. */
  ways?: () => (string | undefined)[]
  /** What to do about an errno. */
  remedy?: (op: Values<F>, errno: string) => string | undefined
  /** Only for operations on the job's root: the two paths that an error can be about. */
  mount?: { source?: (op: Values<F>) => string; target?: (op: Values<F>) => string }
}

/** Checks a row and keeps the type of its fields. */
export function row<const F extends Fields>(entry: OpRow<F>): OpRow<F> {
  return entry
}

export function fileName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** The remedy when no further process can be started. */
export function tasksRemedy(errno: string): string | undefined {
  if (errno !== 'EAGAIN') return undefined
  return 'a limit on tasks is reached: pids.max (see hutch why), RLIMIT_NPROC of its user, or kernel.pid_max: raise it, or end some processes'
}
