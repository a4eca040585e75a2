// SPDX-License-Identifier: Apache-2.0
// One row of the tables of other tools' options. Pure.

/**
 * The tool's options as its users type them, in Markdown; what does the same in `hutch run`, in Markdown: options, `default` for
 * what hutch does anyway, or `–` for nothing; and a note. The note is required if hutch has nothing.
 */
export type OtherRow = readonly [options: string, hutch: string, note?: string]
