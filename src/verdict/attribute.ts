// SPDX-License-Identifier: Apache-2.0
// Which level's limit it was, where the kernel's log does not name it: by the counts and peaks of each level. Called for jobs (limits.ts) and for
// groups (why/); docs/why.md has the rules and the kernels they hold for. Pure.
import type { Confidence, Level } from './cause.ts'

/** What one level's files say of its memory limit. */
interface MemoryCount {
  /** Its directory, or its path. */
  group: string
  /** v2: out-of-memory situations at its own limit. */
  ooms?: number | undefined
  /** v1: it has been at its limit, which page cache alone can bring it to. */
  full?: boolean | undefined
}

/** The level, its group unless that is the group itself or the host, and how sure that is. */
interface ChosenLevel {
  level: Level
  group?: string
  confidence: Confidence
  wouldTell?: string
}

const logWouldTell = "the kernel's log, which root can read, names the group whose limit was hit"
export const levelWouldTell = 'this kernel does not count refused forks by level; Linux 6.11 and later do, on cgroup v2'

/** Whose memory limit killed in a group. `own` is undefined if the group has no figures of its own. */
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

/** What one level's files say of its pids.max. */
export interface PidsCount {
  group: string
  max: number | undefined
  /** Most tasks at once; undefined if the kernel does not keep it. */
  peak: number | undefined
}

/** Whose pids.max refused a fork, on kernels that count it in the group that wanted to fork: the group itself comes first. */
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
