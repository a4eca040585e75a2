// SPDX-License-Identifier: Apache-2.0
// Finds which group's limit ended a job, and the limit's value at the end. Called by make-cause.ts and held.ts.
// docs/why.md has the rules, and the kernels they apply to.
import { isFull, parseOwnOoms } from '../cgroup/memory.ts'
import { parseNumber } from '../cgroup/stats.ts'
import { v1Names } from '../cgroup/v1/translate.ts'
import { outerOwner } from '../plan/outer-limits.ts'
import { parseSize } from '../text/units.ts'
import { chooseMemoryLevel, choosePidsLevel } from './attribute.ts'
import type { CauseLimit, Confidence } from './cause.ts'
import { type Ended, lateFigures, oomAbove, ownIsFull } from './collect-end.ts'
import { levelOfKill } from './job-log.ts'
import { figuresOf, groupOf } from './usage.ts'

/** A limit, and how certain it is that the limit ended the job. */
export interface Attributed {
  limit: CauseLimit
  confidence: Confidence
  wouldTell?: string
}

/** Returns the job's own limit with its value at the end. Without a limit, the value is absent. */
export function ownLimit({ plan, after }: Ended, file: string): CauseLimit {
  const controller = file.slice(0, file.indexOf('.'))
  const legacy = v1Names[file] ?? file
  const figures = figuresOf(plan, controller, after)
  const requested = (name: string) => plan.spec.limits.find((limit) => limit.file === name)
  // if the user named the limit by its v1 file, use that name
  const named = !requested(file) && legacy !== file && requested(legacy) ? legacy : file
  const text =
    figures(file) ?? figures(legacy) ?? cpuQuota(figures) ?? requested(file)?.value ?? requested(legacy)?.value
  const value = limitValue(file, text?.trim())
  const group = groupOf(plan, controller)?.directory
  return { file: named, ...(value !== undefined && { value }), ...(group !== undefined && { group }), level: 'own' }
}

/** Combines quota and period of v1 in the form of cpu.max. */
function cpuQuota(figures: (file: string) => string | undefined): string | undefined {
  const [quota, period] = [figures('cpu.cfs_quota_us')?.trim(), figures('cpu.cfs_period_us')?.trim()]
  return quota === undefined || period === undefined ? undefined : `${quota === '-1' ? 'max' : quota} ${period}`
}

/** Files of limits whose values are texts, not numbers. */
const isText = new Set(['cpu.max', 'cpuset.cpus', 'io.max'])

/** Parses the value of a limit. On v1, the largest number of whole pages means that there is no limit. */
function limitValue(file: string, text: string | undefined): number | string | undefined {
  if (text === undefined || text === '' || text.startsWith('max') || text === '-1') return undefined
  if (isText.has(file)) return text
  const size = /^\d+$/.test(text) ? Number(text) : parseSize(text)
  return typeof size === 'number' && size < 2 ** 62 ? size : undefined
}

/** Returns a limit of an ancestor group, which is read after the job's end. */
export function limitAbove(ended: Ended, file: string, group: string): CauseLimit {
  const figures = lateFigures(ended, group)
  const value = limitValue(file, (figures(file) ?? figures(v1Names[file] ?? file))?.trim())
  return { file, ...(value !== undefined && { value }), group, level: 'ancestor' }
}

/**
 * Finds whose memory limit made the kernel kill processes. If the kernel's log names the group, this is the answer.
 * Otherwise it is decided by the counts of each level on v2, or the peaks on v1.
 */
export function attributeMemory(ended: Ended): Attributed {
  const { plan, after, log } = ended
  const file = 'memory.max'
  const figures = figuresOf(plan, 'memory', after)
  const own = (confidence: Confidence, wouldTell?: string): Attributed => {
    const outer = outerOwner(
      groupOf(plan, 'memory')?.writes.find((write) => write.file === file),
      plan.outer,
    )
    const limit = outer === undefined ? ownLimit(ended, file) : limitAbove(ended, file, outer)
    return { limit, confidence, ...(wouldTell !== undefined && { wouldTell }) }
  }
  const last = log?.kills.at(-1)
  const named = last && levelOfKill(plan, last)
  if (named?.level === 'own') return own('certain')
  if (named?.level === 'ancestor') return { limit: limitAbove(ended, file, named.group!), confidence: 'certain' }
  if (named) return { limit: { file, ...named }, confidence: 'certain' }
  const ownOoms = parseOwnOoms(figures)
  const counted = ownOoms !== undefined
  // if the job's group has no memory controller on v2, use the figures of the ancestors
  const outOfMemory = plan.layout === 'v2' ? oomAbove(ended) : undefined
  const isHit = (directory: string) =>
    counted || outOfMemory ? directory === outOfMemory : isFullNow(ended, directory)
  // on v1, the notification means that this group or an ancestor ran out of memory
  const full = !counted && (ownIsFull(plan, after) || ended.groupKilled)
  const { level, group, ...sure } = chooseMemoryLevel(
    { ooms: ownOoms, full },
    [],
    plan.ancestors.map(({ directory }) => ({
      group: directory,
      ...(counted ? { ooms: Number(isHit(directory)) } : { full: isHit(directory) }),
    })),
  )
  if (level === 'own') return own(sure.confidence, sure.wouldTell)
  return { limit: group === undefined ? { file, level } : limitAbove(ended, file, group), ...sure }
}

function isFullNow(ended: Ended, directory: string): boolean {
  return isFull(lateFigures(ended, directory))
}

/** Finds whose pids.max refused the job's forks. */
export function attributeForks(ended: Ended): Attributed {
  const { plan, usage, refusedAbove } = ended
  const file = 'pids.max'
  const { pidsDenied = 0, pidsPeak } = usage
  if (refusedAbove && pidsDenied === 0)
    return { limit: limitAbove(ended, file, refusedAbove.directory), confidence: 'certain' }
  const own = ownLimit(ended, file)
  const write = groupOf(plan, 'pids')?.writes.find((entry) => entry.file === file)
  const outer = outerOwner(write, plan.outer)
  if (outer !== undefined) return { limit: limitAbove(ended, file, outer), confidence: 'certain' }
  // v1, and v2 before Linux 6.11, count the refusal in the group of the forking process, whichever level refused
  const max = typeof own.value === 'number' ? own.value : undefined
  const reached = max !== undefined && (pidsPeak ?? 0) >= max
  const above = reached ? [] : levelsOfPids(ended)
  const { level, group, ...sure } = choosePidsLevel([
    { group: own.group ?? '', max, peak: pidsPeak },
    ...above.map((directory) => ({ group: directory, ...tasksOf(ended, directory) })),
  ])
  if (level === 'own') return { limit: own, ...sure }
  return { limit: group === undefined ? { file, level } : limitAbove(ended, file, group), ...sure }
}

function levelsOfPids({ plan }: Ended): string[] {
  const mount = plan.layout === 'v2' ? undefined : plan.v1.pids?.mount
  const parent = groupOf(plan, 'pids')?.parent
  if (mount === undefined || parent === undefined) return plan.ancestors.map(({ directory }) => directory)
  const levels: string[] = []
  for (let at = parent; at.length > mount.length; at = at.slice(0, at.lastIndexOf('/'))) levels.push(at)
  return levels
}

function tasksOf(ended: Ended, group: string): { max: number | undefined; peak: number | undefined } {
  const figures = lateFigures(ended, group)
  return { max: parseNumber(figures('pids.max')), peak: parseNumber(figures('pids.peak')) }
}

/**
 * Returns the lowest memory limit of the job's ancestors or, if `group` is given, of that group's ancestors. Returns
 * Infinity without any limit.
 */
export function lowestAbove(ended: Ended, group?: string): number {
  const above = ended.plan.ancestors.filter(({ directory }) => group?.startsWith(`${directory}/`) ?? true)
  const limits = above.map(({ directory }) => Number(limitAbove(ended, 'memory.max', directory).value ?? Number.NaN))
  return Math.min(Number.POSITIVE_INFINITY, ...limits.filter((limit) => !Number.isNaN(limit)))
}
