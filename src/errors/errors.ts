// SPDX-License-Identifier: Apache-2.0
// HutchError, the only class of errors, and `fail`, which makes every error from its code and its facts.

import { escapeText, escapeUnsafe } from '../text/quote.ts'
import type { Code } from './codes.generated.ts'
import { table, type Words } from './error-table.ts'
import { inWords, libraryNames, type OptionNames, type RemedyText } from './remedy-text.ts'

export { quote } from '../text/quote.ts'

export type { Code } from './codes.generated.ts'

type Facts<C extends Code> = Parameters<(typeof table)[C]>[0]

/** Returns all codes, for the documentation and the tests. */
export const codes = () => Object.keys(table) as Code[]

const brand = Symbol.for('hutch.error')
/** Key of the property that holds the remedy with its options as keys, for `nameOptions`. All files of dist/ share this symbol. */
const remedyText = Symbol.for('hutch.remedy')

/**
 * An error of hutch itself, never of a command. The message contains all lines; the remedy is the last.
 *
 * @example
 * try {
 *   await run('true', { timeout: 'soon' })
 * } catch (error) {
 *   if (!HutchError.is(error)) throw error
 *   console.log(error.code, error.value) // OPTION_INVALID soon
 * }
 */
export class HutchError extends Error {
  /** Code of the error in docs/errors.md. */
  readonly code: Code
  /** Name of the kernel's errno, such as `EBUSY`; undefined if the kernel gave none. */
  readonly errno: string | undefined
  /** Kernel file or target that the error is about; undefined if there is no such path. */
  readonly path: string | undefined
  /** Invalid value as typed; undefined if the error is not about a value. */
  readonly value: string | undefined
  /** System call that failed; undefined if none did. */
  readonly operation: string | undefined
  /** What to do about the error. */
  readonly remedy: string
  /** First line of the message, and the lines between that line and the remedy. */
  readonly summary: string
  /** What hutch or the kernel found, as lines of the message. */
  readonly evidence: readonly string[]
  /** Known name that is most similar to an unknown one; undefined if none is similar. */
  readonly nearest: string | undefined
  /** @internal */
  readonly [brand] = true

  /** @internal */
  constructor(code: Code, words: Words, cause?: unknown, names: OptionNames = libraryNames) {
    // escape line ends and control characters, because other users may have chosen names in the message; a usage text keeps its
    // lines
    const summary = escapeUnsafe(words.message)
    const evidence = (words.evidence ?? []).map(escapeUnsafe)
    const remedy = inWords(words.remedy, names)
    const lines = [summary, ...evidence.map((line) => `  ${line}`), `  remedy: ${escapeText(remedy)}`]
    super(lines.join('\n'), cause === undefined ? undefined : { cause })
    this.name = 'HutchError'
    this.code = code
    this.errno = words.errno
    this.path = words.path
    this.value = words.value
    this.operation = words.operation
    this.remedy = remedy
    Object.defineProperty(this, remedyText, { value: words.remedy })
    this.summary = summary
    this.evidence = evidence
    this.nearest = words.nearest
  }

  /** Returns true for a HutchError of any copy of this package. */
  static is(error: unknown): error is HutchError {
    return typeof error === 'object' && error !== null && brand in error
  }

  /** Returns the fields of the error as an object, for logs and `--json`. */
  toJSON(): Record<string, string | undefined> {
    const { code, message, errno, path, value, operation, remedy } = this
    return { code, message, errno, path, value, operation, remedy }
  }
}

/** Returns the remedy of an error in which options are still keys. */
export function remedyOf(error: HutchError): RemedyText {
  return (error as { [remedyText]?: RemedyText })[remedyText] ?? error.remedy
}

/** Returns a copy of the error in which options have the names of a front end. */
export function nameOptions(error: HutchError, names: OptionNames): HutchError {
  return inWords(remedyOf(error), names) === error.remedy ? error : copy(error, {}, names)
}

/** Returns a copy of the error with additional lines of evidence. */
export function addEvidence(error: HutchError, evidence: string[], changed: Partial<Words> = {}): HutchError {
  return copy(error, { evidence: [...error.evidence, ...evidence], ...changed })
}

function copy(error: HutchError, changed: Partial<Words>, names?: OptionNames): HutchError {
  const { code, errno, path, value, operation, summary, nearest, cause } = error
  return new HutchError(
    code,
    {
      message: summary,
      evidence: [...error.evidence],
      remedy: remedyOf(error),
      ...(errno !== undefined && { errno }),
      ...(path !== undefined && { path }),
      ...(value !== undefined && { value }),
      ...(operation !== undefined && { operation }),
      ...(nearest !== undefined && { nearest }),
      ...changed,
    },
    cause,
    names,
  )
}

/** Creates the error for a code and its facts. The caller throws it. */
export function fail<C extends Code>(code: C, facts: Facts<C>, cause?: unknown): HutchError {
  return new HutchError(code, (table[code] as (facts: Facts<C>) => Words)(facts), cause)
}
