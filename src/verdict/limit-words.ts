// SPDX-License-Identifier: Apache-2.0
// Returns words for the effects of group limits, from the kernel's figures. Used for verdicts of jobs and for `hutch
// why`. Pure.
import { formatDuration, formatSize } from '../text/units.ts'

/** A label and a text, which form a line of evidence. */
export type EvidenceLine = [label: string, text: string]

/** Whose memory limit made the kernel kill processes. */
export interface OomLevel {
  whose: 'own' | 'below' | 'ancestor' | 'host'
  /** Directory of the group that has the limit, if it is an ancestor or a group below. */
  directory?: string
}

/** Returns a number with its noun and verb, such as `1 process was` or `2 processes were`. */
export function count(n: number, one: string, many: string): string {
  return `${n} ${n === 1 ? one : many}`
}

/** Returns the headline about OOM kills. `name` is the group or job that needed the memory. */
export function describeKills(kills: number, name: string, level: OomLevel | undefined): string {
  const who = kills > 0 ? count(kills, 'process was', 'processes were') : 'all of it was'
  return `${who} killed (OOM): ${describeCause(name, level)}`
}

function describeCause(name: string, level: OomLevel | undefined): string {
  if (level?.whose === 'host') return 'the host ran out of memory'
  if (level?.whose === 'ancestor') return `the limit of a group above, ${level.directory}, was reached`
  return `${level?.whose === 'below' ? level.directory : name} asked for more than memory.max allows`
}

/** Returns the evidence that tells whose limit was reached. */
export function describeLevel({ whose, directory }: OomLevel): string {
  if (whose === 'own') return "this group's own (not an ancestor's, not the host's)"
  if (whose === 'host') return 'none: the host ran out of memory'
  return whose === 'below' ? `that of a group below it: ${directory}` : `an ancestor's: ${directory}`
}

/** Returns the line of evidence about memory.max and its effects. `limit` is the text of the file. */
export function memoryLine(
  limit: string | undefined,
  figures: { peak?: number | undefined; hits?: number | undefined; kills?: number | string | undefined },
): EvidenceLine {
  const { peak, hits, kills = 0 } = figures
  const parts = [
    limit === undefined ? 'no limit' : /^\d+$/.test(limit) ? formatSize(Number(limit)) : limit,
    peak !== undefined && `peak ${formatSize(peak)}`,
    limit !== undefined && hits !== undefined && `limit hit ${count(hits, 'time', 'times')}`,
    kills !== 0 && `oom_kill ${kills}`,
  ]
  return ['memory.max', parts.filter(Boolean).join('   ')]
}

/** Returns the headline about refused forks. `name` is the group or job that needed the tasks. */
export function describeForks(denied: number, name: string): string {
  return `${count(denied, 'fork was', 'forks were')} refused: ${name} needs more tasks than pids.max allows`
}

/** Returns the line of evidence about pids.max and its effects. */
export function pidsLine(
  limit: string,
  figures: { current?: number | undefined; peak?: number | undefined; denied?: number | string | undefined },
): EvidenceLine {
  const { current, peak, denied } = figures
  const parts = [
    limit,
    current !== undefined && `now ${current}`,
    peak !== undefined && `peak ${peak}`,
    denied !== undefined && `refused ${typeof denied === 'string' ? denied : count(denied, 'time', 'times')}`,
  ]
  return ['pids.max', parts.filter(Boolean).join('   ')]
}

/** Figures about a CPU limit. Times are in microseconds. */
interface Throttling {
  periods: number
  throttledPeriods: number
  throttledUsec?: number | undefined
}

/** Returns the percentage of periods in which a group was throttled, among those in which it ran. */
export function throttledShare({ periods, throttledPeriods }: Throttling): number {
  return Math.round((100 * throttledPeriods) / periods)
}

/** Returns the line of evidence about cpu.max and its effects. */
export function quotaLine(limit: string, throttling: Throttling): EvidenceLine {
  const { periods, throttledPeriods, throttledUsec } = throttling
  const waited = throttledUsec === undefined ? '' : `, ${formatDuration(throttledUsec / 1000)} in all`
  const share = throttledShare(throttling)
  return ['cpu.max', `${limit}   throttled in ${share} % of periods (${throttledPeriods} of ${periods})${waited}`]
}
