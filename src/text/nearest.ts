// SPDX-License-Identifier: Apache-2.0
// Finds the known word that is most similar to a mistyped word. Pure.

/** Returns the most similar known word. Returns undefined if none is similar enough. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const ranked = known.map((candidate) => [distance(word, candidate), candidate] as const).sort((a, b) => a[0] - b[0])
  const best = ranked[0]
  return best && best[0] <= Math.max(1, Math.floor(word.length / 3)) ? best[1] : undefined
}

/** Returns the number of single-character changes, and of swaps of neighbouring characters, that turn one word into the other. */
function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 8 || a.length > 64) return 99
  const rows = [Array.from({ length: b.length + 1 }, (_, i) => i)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const above = rows[i - 1]!
      row.push(
        Math.min(
          row[j - 1]! + 1,
          above[j]! + 1,
          above[j - 1]! + (same ? 0 : 1),
          swapped ? rows[i - 2]![j - 2]! + 1 : 99,
        ),
      )
    }
    rows.push(row)
  }
  return rows[a.length]![b.length]!
}
