// SPDX-License-Identifier: Apache-2.0
// The one class of errors; `fail(code, facts)` is the only way to make one, from the table of all.

import { escapeText, escapeUnsafe } from '../text/quote.ts'
import { table, type Words } from './error-table.ts'

export { quote } from '../text/quote.ts'

/** Stable names, never reused and never renamed. */
export type Code = keyof typeof table
type Facts<C extends Code> = Parameters<(typeof table)[C]>[0]

/** All codes, for docs and tests. */
export const codes = Object.keys(table) as Code[]

const brand = Symbol.for('hutch.error')

/** What hutch itself could not do: never for what a command did. Its message has all lines, the remedy last. */
export class HutchError extends Error {
  /** Which entry of docs/errors.md this is. */
  readonly code: Code
  /** The kernel's answer as a name (`EBUSY`), when it gave one. */
  readonly errno: string | undefined
  /** The kernel file or target that it was about. */
  readonly path: string | undefined
  /** The value as typed. */
  readonly value: string | undefined
  /** The system call, when one failed. */
  readonly operation: string | undefined
  /** What to do. */
  readonly remedy: string
  /** The first line of the message, and those between it and the remedy. */
  readonly summary: string
  readonly evidence: readonly string[]
  /** The known name that is closest to an unknown one. */
  readonly nearest: string | undefined
  readonly [brand] = true

  constructor(code: Code, words: Words, cause?: unknown) {
    // names in them are chosen by others: none ends a line or steers a terminal; a usage text has lines of its own
    const summary = escapeUnsafe(words.message)
    const evidence = (words.evidence ?? []).map(escapeUnsafe)
    const lines = [summary, ...evidence.map((line) => `  ${line}`), `  remedy: ${escapeText(words.remedy)}`]
    super(lines.join('\n'), cause === undefined ? undefined : { cause })
    this.name = 'HutchError'
    this.code = code
    this.errno = words.errno
    this.path = words.path
    this.value = words.value
    this.operation = words.operation
    this.remedy = words.remedy
    this.summary = summary
    this.evidence = evidence
    this.nearest = words.nearest
  }

  /** True for a HutchError of any copy of this package. */
  static is(error: unknown): error is HutchError {
    return typeof error === 'object' && error !== null && brand in error
  }

  /** The fields, for logs and `--json`. */
  toJSON(): Record<string, string | undefined> {
    const { code, message, errno, path, value, operation, remedy } = this
    return { code, message, errno, path, value, operation, remedy }
  }
}

/** Returns the same error with more lines of evidence before its remedy. */
export function addEvidence(error: HutchError, evidence: string[], changed: Partial<Words> = {}): HutchError {
  const { code, errno, path, value, operation, remedy, summary, cause } = error
  return new HutchError(
    code,
    {
      message: summary,
      evidence: [...error.evidence, ...evidence],
      remedy,
      ...(errno !== undefined && { errno }),
      ...(path !== undefined && { path }),
      ...(value !== undefined && { value }),
      ...(operation !== undefined && { operation }),
      ...changed,
    },
    cause,
  )
}

/** Makes the error `code` from its facts, to be thrown. */
export function fail<C extends Code>(code: C, facts: Facts<C>, cause?: unknown): HutchError {
  return new HutchError(code, (table[code] as (facts: Facts<C>) => Words)(facts), cause)
}
