// SPDX-License-Identifier: Apache-2.0
// The pids controller: cgroup-v2.rst, "PID Interface Files"; the same files on v1.
import { type FileTexts, parseFlat, parseNumber } from './stats.ts'

/** v2 from Linux 6.11 on: forks that this level's own limit refused, to whichever group below. */
export const pidsLevelFile = 'pids.events.local'

interface PidsStats {
  /** Most tasks at once; not on every kernel. */
  peak?: number
  /** Forks and clones refused. */
  denied?: number
}

export function parsePids(figures: FileTexts): PidsStats {
  const peak = parseNumber(figures('pids.peak'))
  const denied = parseFlat(figures('pids.events')).max
  return { ...(peak !== undefined && { peak }), ...(denied !== undefined && { denied }) }
}

/** How many forks a level's own limit has refused so far. */
export function parseRefusedHere(text: string | undefined): number | undefined {
  return parseFlat(text).max
}
