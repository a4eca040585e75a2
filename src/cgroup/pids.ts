// SPDX-License-Identifier: Apache-2.0
// Parses files of the pids controller, which are the same on v1 and v2: cgroup-v2.rst, "PID Interface Files". Pure.
import { type FileTexts, parseFlat, parseNumber } from './stats.ts'

/** v2 file that counts the forks that this group's own limit refused, of its tasks and of all descendants. Linux 6.11 and later. */
export const pidsLevelFile = 'pids.events.local'

interface PidsStats {
  /** Peak number of tasks; absent on kernels that do not record it. */
  peak?: number
  /** Number of refused forks and clones. */
  denied?: number
}

export function parsePids(figures: FileTexts): PidsStats {
  const peak = parseNumber(figures('pids.peak'))
  const denied = parseFlat(figures('pids.events')).max
  return { ...(peak !== undefined && { peak }), ...(denied !== undefined && { denied }) }
}

/** Returns how many forks a group's own limit has refused. */
export function parseRefusedHere(text: string | undefined): number | undefined {
  return parseFlat(text).max
}
