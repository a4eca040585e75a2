// SPDX-License-Identifier: Apache-2.0
// Joins the option table of `hutch run` and the library, and derives lists of names from it. Pure.
import { fileRows } from './files.ts'
import { isolationRows, networkRows } from './isolation.ts'
import { limitRows, otherLimitRows } from './limits.ts'
import { outputRows } from './output.ts'
import { rightRows } from './rights.ts'
import type { LimitRow, OptionRow } from './row.ts'

/** All options, in the order of the help. */
export const optionRows: readonly OptionRow[] = [
  ...limitRows,
  ...otherLimitRows,
  ...isolationRows,
  ...fileRows,
  ...networkRows,
  ...rightRows,
  ...outputRows,
]

type Rows = (
  | typeof limitRows
  | typeof otherLimitRows
  | typeof isolationRows
  | typeof fileRows
  | typeof networkRows
  | typeof rightRows
  | typeof outputRows
)[number]

/** Keys of `limits` that are in the option table, such as `memory`. */
export type LimitKey = (typeof limitRows)[number]['key'] extends `limits.${infer K}` ? K : never

/** Keys of the library's options, such as `timeout`. */
type RunOptionKey =
  | Exclude<Extract<Rows, { key: string }>['key'], `limits.${string}`>
  | Extract<Rows, { alias: string }>['alias']

/** The rows of limits, by their key in `limits`. */
export const limitRowOf = Object.fromEntries(
  limitRows.map((row) => [row.key.slice('limits.'.length), row]),
) as unknown as { readonly [K in LimitKey]: LimitRow }

/** The names of the library's options. */
export const runOptionKeys: readonly RunOptionKey[] = [
  ...new Set(
    optionRows.flatMap(({ key, alias }) =>
      [key?.split('.')[0], alias].filter((name) => name !== undefined),
    ) as RunOptionKey[],
  ),
]

const byKey = new Map<string, OptionRow>()
for (const row of optionRows) if (row.key !== undefined && !byKey.has(row.key)) byKey.set(row.key, row)
for (const kind of ['volume', 'tmpfs', 'overlay'])
  byKey.set(`mounts.${kind}`, optionRows.find(({ flag }) => flag === kind)!)

/** Returns the row of an option by its path in the library's options. Returns undefined if there is no such option. */
export function optionRow(key: string): OptionRow | undefined {
  return byKey.get(key)
}

/** Returns true if an option can be repeated and all its values are used, not only the last. */
export function isRepeated({ kind }: OptionRow): boolean {
  return ['texts', 'words', 'pairs', 'environment', 'mount', 'files'].includes(kind)
}
