// SPDX-License-Identifier: Apache-2.0
// Defines the type of a row in the tables of other tools' options. Pure.

/**
 * A row: the tool's options as its users type them, in Markdown. Then the equivalent options of `hutch run`, or
 * `default` if hutch always does the same, or `–` if hutch has no equivalent. Then a note, which is required after `–`.
 */
export type OtherRow = readonly [options: string, hutch: string, note?: string]
