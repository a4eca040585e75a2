// SPDX-License-Identifier: Apache-2.0
// Whose limit it was, and its value at the end. docs/why.md has the rules and the kernels they hold for.
import { isFull, parseMemory } from '../cgroup/memory.ts'
import { parseNumber } from '../cgroup/stats.ts'
import { outerOwner } from '../plan/outer-limits.ts'
import { parseSize } from '../units.ts'
import type { CauseLimit, Confidence } from './cause.ts'
import { type Ended, lateFigures, oomAbove, ownIsFull } from './facts.ts'
import { levelOfKill } from './job-log.ts'
import { figuresOf, groupOf } from './usage.ts'

/** A limit with how sure it is that this one ended the job. */
export interface Attributed {
  limit: CauseLimit
  confidence: Confidence
  wouldTell?: string
}

const v1Names: { [file: string]: string } = { 'memory.max': 'memory.limit_in_bytes' }
const logWouldTell = "the kernel's log, which root may read, names the group whose limit it was"

/** Returns the job's own limit with its value at the end. The value is absent if no limit is set. */
export function ownLimit({ plan, after }: Ended, file: string): CauseLimit {
  const controller = file.slice(0, file.indexOf('.'))
  const legacy = v1Names[file] ?? file
  const figures = figuresOf(plan, controller, (path) => after.get(path))
  const asked = (name: string) => plan.spec.limits.find((limit) => limit.file === name)
  // who named a v1 file reads that name again
  const named = !asked(file) && legacy !== file && asked(legacy) ? legacy : file
  const text = figures(file) ?? figures(legacy) ?? cpuQuota(figures) ?? asked(file)?.value ?? asked(legacy)?.value
  const value = limitValue(file, text?.trim())
  const group = groupOf(plan, controller)?.directory
  return { file: named, ...(value !== undefined && { value }), ...(group !== undefined && { group }), level: 'own' }
}

/** v1 has the quota and its period apart. */
function cpuQuota(figures: (file: string) => string | undefined): string | undefined {
  const [quota, period] = [figures('cpu.cfs_quota_us')?.trim(), figures('cpu.cfs_period_us')?.trim()]
  return quota === undefined || period === undefined ? undefined : `${quota === '-1' ? 'max' : quota} ${period}`
}

/** v1 writes "no limit" as the greatest number of whole pages. */
function limitValue(file: string, text: string | undefined): number | string | undefined {
  if (text === undefined || text === '' || text.startsWith('max') || text === '-1') return undefined
  if (file === 'cpu.max') return text
  const size = /^\d+$/.test(text) ? Number(text) : parseSize(text)
  return typeof size === 'number' && size < 2 ** 62 ? size : undefined
}

/** The limit of a group above, read now: the group is still there. */
function limitAbove(ended: Ended, file: string, group: string): CauseLimit {
  const figures = lateFigures(ended, group)
  const value = limitValue(file, (figures(file) ?? figures(v1Names[file] ?? file))?.trim())
  return { file, ...(value !== undefined && { value }), group, level: 'ancestor' }
}

/** Whose memory limit killed: the kernel's log names the group; else the counts of each level, of v2, or the peaks of v1. */
export function attributeMemory(ended: Ended): Attributed {
  const { plan, after, log } = ended
  const file = 'memory.max'
  const figures = figuresOf(plan, 'memory', (path) => after.get(path))
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
  const { ownOoms } = parseMemory(figures)
  if (ownOoms !== undefined) {
    if (ownOoms > 0) return own('certain')
    const above = oomAbove(ended)
    if (above !== undefined)
      return { limit: limitAbove(ended, file, above), confidence: 'likely', wouldTell: logWouldTell }
    return { limit: { file, level: 'host' }, confidence: 'likely', wouldTell: logWouldTell }
  }
  // memory without figures of its own, on v2: the group that it shares
  const shared = plan.layout === 'v2' ? oomAbove(ended) : undefined
  const above = shared ?? plan.ancestors.find(({ directory }) => isFull(lateFigures(ended, directory)))?.directory
  // the group's own notification says that it was out of memory, or a group above it
  const full = ownIsFull(plan, after) || ended.groupKilled
  if (full && above === undefined) return own('likely', logWouldTell)
  if (full) return own('unknown', `${above} was at its limit, too: ${logWouldTell}`)
  if (above === undefined) return { limit: { file, level: 'host' }, confidence: 'likely', wouldTell: logWouldTell }
  return { limit: limitAbove(ended, file, above), confidence: 'likely', wouldTell: logWouldTell }
}

/** Whose pids.max refused the job's forks. */
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
  const max = Number(own.value ?? Number.POSITIVE_INFINITY)
  const reached = pidsPeak === undefined ? own.value !== undefined : pidsPeak >= max
  if (reached) return { limit: own, confidence: 'certain' }
  // v1, and v2 before 6.11: the forking group counts, whichever level refused
  const full = levelsOfPids(ended).filter((group) => isFullOfTasks(ended, group))
  if (full[0] !== undefined)
    return { limit: limitAbove(ended, file, full[0]), confidence: 'likely', wouldTell: levelWouldTell }
  return { limit: { file, level: 'ancestor' }, confidence: 'unknown', wouldTell: levelWouldTell }
}

const levelWouldTell = 'this kernel does not count refused forks by level; Linux 6.11 and later do, on cgroup v2'

function levelsOfPids({ plan }: Ended): string[] {
  const mount = plan.layout === 'v2' ? undefined : plan.v1.pids?.mount
  const parent = groupOf(plan, 'pids')?.parent
  if (mount === undefined || parent === undefined) return plan.ancestors.map(({ directory }) => directory)
  const levels: string[] = []
  for (let at = parent; at.length > mount.length; at = at.slice(0, at.lastIndexOf('/'))) levels.push(at)
  return levels
}

function isFullOfTasks(ended: Ended, group: string): boolean {
  const figures = lateFigures(ended, group)
  const [max, peak] = [parseNumber(figures('pids.max')), parseNumber(figures('pids.peak'))]
  return max !== undefined && (peak ?? 0) >= max
}
