// SPDX-License-Identifier: Apache-2.0
// Searches the smallest limit of memory at which a command passes. Pure: the caller makes the runs.

/** What one attempt shows. */
export interface Attempt {
  passed: boolean
  /** True if the run only was too slow: then it used page cache, and the need may be far above the guess. */
  slow?: boolean
  /** Highest memory use of the run in bytes, if the limit was never reached: a limit of that size is probably enough, too. */
  peak?: number | undefined
}

/** What is known before the search, in bytes. */
export interface SearchStart {
  /** A limit at which the command passes: the highest use without a limit. */
  enough: number
  /** The limit that is probably just enough. */
  guess: number
  /** A limit that is too low for some runs; 0 by default. */
  failed?: number
  /** A run that passes with a lower peak adapted to its limit, so that `failed` does not hold for it. */
  adapted?: number
}

/** A limit between two bounds, in bytes: the command failed at `failed` and passes at `enough`. */
export interface Bracket {
  failed: number
  enough: number
}

const mib = 2 ** 20
const page = 4096

/** Returns how near the two bounds must be: 2 % of the limit, and 1 MiB for small ones. */
export function resolutionAt(limit: number): number {
  return Math.max(limit * 0.02, mib)
}

/** Returns a limit as the kernel keeps it: in whole pages. */
export function wholePages(bytes: number): number {
  return Math.ceil(bytes / page) * page
}

/**
 * Narrows the bounds until they are near. The first attempt is at the guess. The next ones go away from it in steps of the resolution,
 * which double, until the other bound is found; then they halve the rest. `attempt` returns undefined to end the search early.
 */
export async function searchLimit(
  { enough, guess, failed = 0, adapted = 0 }: SearchStart,
  attempt: (limit: number) => Promise<Attempt | undefined>,
): Promise<Bracket> {
  const bracket: Bracket = { failed, enough: wholePages(enough) }
  let next = guess
  let step = 0
  /** Where the attempts go, until one ends differently; undefined at a guess. */
  let direction: 'down' | 'up' | undefined
  // one attempt shows whether the command adapts
  let isOpen = adapted > 0
  while (isOpen || bracket.enough - bracket.failed > resolutionAt(bracket.enough)) {
    isOpen = false
    const limit = wholePages(nextLimit(bracket, next, step, direction))
    const found = await attempt(limit)
    if (!found) break
    if (!found.passed) bracket.failed = limit
    else bracket.enough = limit
    const way = found.passed ? 'down' : 'up'
    const { peak = limit } = found
    if (found.passed && peak < adapted && bracket.failed === failed) bracket.failed = 0
    if (found.passed && bracket.enough - peak > resolutionAt(peak)) {
      // a runtime that sizes its heap by the limit may need more than it used: the peak is only the next guess
      next = peak + resolutionAt(peak) / 2
      direction = undefined
      continue
    }
    if (found.passed) bracket.enough = wholePages(Math.max(peak, bracket.failed + page))
    step = found.slow ? 0 : direction === undefined ? 1 : direction === way && step > 0 ? step * 2 : 0
    direction ??= way
  }
  return bracket
}

function nextLimit(
  { failed, enough }: Bracket,
  guess: number,
  step: number,
  direction: 'down' | 'up' | undefined,
): number {
  const middle = Math.sqrt(Math.max(failed, resolutionAt(0) / 2) * enough)
  const resolution = resolutionAt(enough)
  if (direction === undefined) {
    // near the upper bound, an attempt just below it decides at once
    if (guess >= enough - resolution) return enough - resolution
    return guess > failed ? Math.max(guess, resolution / 2) : middle
  }
  if (step === 0) return middle
  // within the resolution, so that a different end finishes the search
  const away = resolutionAt(direction === 'down' ? enough : failed) * step * 0.999
  const limit = direction === 'down' ? enough - away : failed + away
  return direction === 'down' ? Math.max(limit, middle) : Math.min(limit, middle)
}
