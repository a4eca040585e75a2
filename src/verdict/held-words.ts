// SPDX-License-Identifier: Apache-2.0
// Returns words about a limit that slowed a job, from its Cause. Called by words.ts and remedies.ts; pure.
import { quote } from '../text/quote.ts'
import { formatDuration, formatSize } from '../text/units.ts'
import type { Cause, CauseKind, CauseLimit, Figure, SideEvent } from './cause.ts'
import { count, type EvidenceLine } from './limit-words.ts'

/** Placeholders for numbers that a compiled file inserts at the job's end. */
interface HeldSlots {
  throttledPercent?: string
  slowed?: string
  stalledPercent?: string
}

/** Returns true if an event only slowed the job, and so cannot have ended it. */
export function isSlowing({ kind }: Pick<SideEvent, 'kind'>): boolean {
  return kind === 'throttled' || kind === 'slowed'
}

const waited = {
  memory: 'all its tasks waited for memory',
  io: 'all its tasks waited for a disk',
  cpu: 'some of its tasks waited for a CPU',
}

const resourceOf: { [file: string]: keyof typeof waited } = {
  'io.max': 'io',
  'io.pressure': 'io',
  'cpuset.cpus': 'cpu',
  'cpu.max': 'cpu',
}

/** Words for events during which a job does not run at all, such as `frozen`. */
const stillPhrases: { [K in CauseKind]?: (event: SideEvent) => string } = {
  frozen: () => ', frozen',
  stopped: () => ', stopped by a signal',
  oom: ({ limit, counts: { oomKills = 0, ooms = 0 } = {} }) =>
    oomKills === 0 && ooms > 0 ? `, out of memory (OOM) at ${limit?.file ?? 'memory.max'}${sizeIn(limit)}` : '',
}

/** Returns the part of the headline that tells what kept the job from ending before its time limit. */
export function heldBy(
  { sideEvents, durationMs = 0 }: Pick<Cause, 'sideEvents' | 'durationMs'>,
  slots: HeldSlots,
): string {
  const [first] = sideEvents
  const still = first && stillPhrases[first.kind]?.(first)
  if (still) return still
  const held = sideEvents.find(isSlowing)
  if (!held) return ''
  const { limit, counts: { periods = 1, throttledPeriods = 0, slowed = 0, stalledUsec = 0 } = {} } = held
  if (held.kind === 'throttled')
    return `, throttled by cpu.max in ${slots.throttledPercent ?? Math.round((100 * throttledPeriods) / periods)} % of its periods`
  const file = limit?.file ?? 'memory.high'
  const above = limit?.level === 'ancestor' ? ` of a group above it, ${quote(limit.group)}` : ''
  if (file === 'memory.high')
    return `, slowed ${slots.slowed ?? count(slowed, 'time', 'times')} by memory.high${sizeIn(limit)}${above}`
  const share = `${waited[resourceOf[file] ?? 'memory']} in ${slots.stalledPercent ?? percentOf(stalledUsec, durationMs)} % of that time`
  return file.endsWith('.pressure') ? `, ${share}` : `, slowed by ${file}${sizeIn(limit)}${above}: ${share}`
}

function percentOf(usec: number, ms: number): number {
  return Math.min(100, Math.round(usec / Math.max(1, ms * 10)))
}

/** Returns the value of a limit in brackets, after a space. */
export function sizeIn(limit: CauseLimit | undefined): string {
  if (typeof limit?.value === 'number') return ` (${formatSize(limit.value)})`
  return typeof limit?.value === 'string' && limit.file !== 'cpu.max' ? ` (${limit.value})` : ''
}

/** Returns the line of evidence about a limit that slowed the job, with its effect in figures. */
export function heldLine(f: Extract<Figure, { figure: 'held' }>): EvidenceLine {
  const { limit, resource, wallMs, stalledUsec = 0, refaultBytes, cpus, cpuUsec, slowed, readBytes, writtenBytes } = f
  const rate = (bytes: number) =>
    `${formatSize(bytes)}, ${formatSize(Math.round((bytes * 1000) / Math.max(1, wallMs)))}/s`
  const value = typeof limit.value === 'number' ? formatSize(limit.value) : limit.value
  const parts = [
    value,
    limit.level === 'ancestor' && `of ${quote(limit.group)}`,
    cpus !== undefined && count(cpus, 'CPU allowed', 'CPUs allowed'),
    cpuUsec !== undefined && `${(cpuUsec / 1000 / Math.max(1, wallMs)).toFixed(2)} used`,
    slowed !== undefined && `slowed ${count(slowed, 'time', 'times')}`,
    readBytes !== undefined && readBytes > 0 && `read ${rate(readBytes)}`,
    writtenBytes !== undefined && writtenBytes > 0 && `written ${rate(writtenBytes)}`,
    refaultBytes !== undefined && `read again after reclaim ${formatSize(refaultBytes)}`,
    `${waited[resource]} ${formatDuration(stalledUsec / 1000)} of ${formatDuration(wallMs)}`,
  ]
  return [
    limit.file.endsWith('.pressure') ? 'pressure' : limit.file === 'memory.max' ? 'slowed by' : limit.file,
    parts.filter(Boolean).join('   '),
  ]
}
