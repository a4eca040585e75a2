// SPDX-License-Identifier: Apache-2.0
// What each front end calls an option. Pure.
import { optionRow } from './table.ts'

/** Returns the name of an option as its user types it: `--memory` on the command line, `limits.memory` in the library. */
export function optionName(key: string, frontend: 'cli' | 'library'): string {
  if (frontend === 'library') return key
  const row = optionRow(key)
  return row ? `--${row.flag}` : key
}
