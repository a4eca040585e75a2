// SPDX-License-Identifier: Apache-2.0
// Decides which group's limit was reached if the kernel's log does not name the group. Decides by the counts and peaks
// of each level. Called for jobs (limits.ts) and groups (why/). docs/why.md has the rules, and the kernels they apply
// to. Pure.
import type { Confidence, Level } from './cause.ts'

/** Figures about the memory limit of one level: a group, or one of its ancestors. */
interface MemoryCount {
  /** Directory or path of the group. */
  group: string
  /** v2: how many times memory ran out at this group's own limit. */
  ooms?: number | undefined
  /** v1: true if usage has reached the limit. Page cache alone can also cause that. */
  full?: boolean | undefined
}

/** The level whose limit was reached, and how certain that is. `group` is absent if the level is the group itself or the host. */
interface ChosenLevel {
  level: Level
  group?: string
  confidence: Confidence
  wouldTell?: string
}

const logWouldTell = "the kernel's log, which root can read, names the group whose limit was hit"
/** Used for a refused fork, which does not itself end a program: the program decides how to react. */
export const reasonWouldTell = 'the kernel does not record why a program ends; see its own output'
export const levelWouldTell = 'this kernel does not count refused forks by level; Linux 6.11 and later do, on cgroup v2'

/** Decides whose memory limit killed processes in a group. `own` is undefined if the group has no figures of its own. */
export function chooseMemoryLevel(
  own: Omit<MemoryCount, 'group'> | undefined,
  below: readonly MemoryCount[],
  above: readonly MemoryCount[],
): ChosenLevel {
  const likely = { confidence: 'likely', wouldTell: logWouldTell } as const
  const counted = own?.ooms !== undefined
  const hit = ({ ooms, full }: Omit<MemoryCount, 'group'>) => (ooms ?? 0) > 0 || (!counted && full === true)
  const inside = below.find(hit)?.group
  const outside = above.find(hit)?.group
  if (own && hit(own)) {
    if (counted) return { level: 'own', confidence: 'certain' }
    return outside === undefined
      ? { level: 'own', ...likely }
      : { level: 'own', confidence: 'unknown', wouldTell: `${outside} was at its limit, too: ${logWouldTell}` }
  }
  if (inside !== undefined)
    return { level: 'below', group: inside, ...(counted && outside === undefined ? { confidence: 'certain' } : likely) }
  return outside === undefined ? { level: 'host', ...likely } : { level: 'ancestor', group: outside, ...likely }
}

/** Figures about the pids.max of one level: a group, or one of its ancestors. */
export interface PidsCount {
  group: string
  max: number | undefined
  /** Highest number of tasks so far; undefined if the kernel does not record it. */
  peak: number | undefined
}

/**
 * Decides whose pids.max refused a fork, on kernels that count the refusal in the group of the forking process. That
 * group's own limit is checked first.
 */
export function choosePidsLevel(levels: readonly PidsCount[]): ChosenLevel {
  const possible = levels.filter(({ max, peak }) => max !== undefined && (peak ?? max) >= max)
  const full = possible.find(({ peak }) => peak !== undefined)
  const only = full ?? (possible.length === 1 ? possible[0] : undefined)
  if (only === undefined) return { level: 'ancestor', confidence: 'unknown', wouldTell: levelWouldTell }
  const isOwn = only === levels[0]
  if (isOwn && possible.length === 1) return { level: 'own', confidence: 'certain' }
  const likely = { confidence: 'likely', wouldTell: levelWouldTell } as const
  return isOwn ? { level: 'own', ...likely } : { level: 'ancestor', group: only.group, ...likely }
}
