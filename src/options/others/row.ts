// SPDX-License-Identifier: Apache-2.0
// The row type in the tables of other tools' options. Pure.

/**
 * First the tool's options as its users type them, in Markdown. Then the equivalent options of `hutch run`, `default` if hutch always does
 * the same, or `–` if hutch does not support it. A note follows, which `–` requires.
 */
export type OtherRow = readonly [options: string, hutch: string, note?: string]
