// SPDX-License-Identifier: Apache-2.0
// Reads the entries of lists in manifests. Pure.
import { plain } from '../text/quote.ts'
import { isRecord, type ReportProblem } from './check-fields.ts'
import type { FieldPath } from './documents.ts'

/** A map of YAML. */
export type Entry = { readonly [key: string]: unknown }

/** Returns the entries of a list that are maps, with their paths. */
export function entriesOf(value: unknown, path: FieldPath): { entry: Entry; at: FieldPath }[] {
  if (!Array.isArray(value)) return []
  return value.flatMap((entry, i) => (isRecord(entry) ? [{ entry, at: [...path, i] }] : []))
}

/** Reports each entry whose key occurs in an earlier entry. */
export function refuseTwice(entries: { entry: Entry; at: FieldPath }[], key: string, report: ReportProblem): void {
  const seen = new Set<unknown>()
  for (const { entry, at } of entries) {
    const value = entry[key]
    if (value !== undefined && seen.has(value))
      report([...at, key], `is ${plain(value)}, as in an entry above`, 'give each entry another')
    seen.add(value)
  }
}
