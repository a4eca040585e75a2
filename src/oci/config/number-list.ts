// SPDX-License-Identifier: Apache-2.0
// Parses the lists of processors and memory nodes that the kernel uses: `0-3,7`. Pure.

/** The kernel has at most 8192 processors (NR_CPUS), and fewer memory nodes. */
const highest = 8191

/** Parses a list such as `0-3,7`. Returns undefined if it is invalid. An empty text is an empty list. */
export function parseNumberList(text: string): number[] | undefined {
  const numbers = new Set<number>()
  for (const part of text.split(',').map((piece) => piece.trim())) {
    if (part === '') continue
    const match = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part)
    const [first, last] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])]
    if (!(first <= last && last <= highest)) return undefined
    for (let number = first; number <= last; number++) numbers.add(number)
  }
  return [...numbers].sort((a, b) => a - b)
}
