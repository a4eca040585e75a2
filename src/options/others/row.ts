// SPDX-License-Identifier: Apache-2.0
// One row of the tables of other tools' options. Pure.

/**
 * The tool's options as its users type them, in Markdown. Then the options of `hutch run` that do the same, `default` if hutch always does
 * so, or `–` if it does not support it. A note follows, which is required for `–`.
 */
export type OtherRow = readonly [options: string, hutch: string, note?: string]
