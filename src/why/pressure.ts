// SPDX-License-Identifier: Apache-2.0
// Explains that a memory limit slowed a group, and how long its tasks waited. Pure.

import { parsePressure } from '../cgroup/stats.ts'
import { quote } from '../text/quote.ts'
import { formatDuration, formatSize } from '../text/units.ts'
import { type EvidenceLine, memoryLine } from '../verdict/limit-words.ts'
import type { WhyCause } from './explanation.ts'
import type { MemoryFacts } from './memory.ts'
import { measure } from './raise-command.ts'

/**
 * Explains throttling by memory.high of the group or an ancestor, and a full memory.max without a kill. `pressure` is
 * the text of memory.pressure.
 */
export function slowedCauses(facts: MemoryFacts, pressure?: string): WhyCause[] {
  const { name, levels } = facts
  const high = levels.flatMap((level, i): WhyCause[] => {
    if (level.high === undefined || !level.slowed) return []
    const whose = i === 0 ? 'own' : 'ancestor'
    return [
      {
        kind: 'slowed',
        confidence: 'certain',
        cause: 'slowed',
        limit: 'memory.high',
        whose,
        group: level.path,
        count: level.slowed,
        headline: `${name} was throttled for memory ${level.slowed} times: ${i === 0 ? 'it' : quote(level.path)} is above memory.high`,
        evidence: [
          [
            'memory.high',
            `${formatSize(Number(level.high))}${level.current === undefined ? '' : `   now ${formatSize(level.current)}`}`,
          ],
        ],
        remedy: measure(level.path, 'memory.high', Number(level.high)),
      },
    ]
  })
  return [...high, ...fullCause(facts, pressure)]
}

/** Returns true if the group or an ancestor uses all of its memory.max, while its tasks wait for memory. */
export function isThrashing(facts: MemoryFacts, pressure?: string): boolean {
  return fullCause(facts, pressure).length > 0
}

/** Returns the resource, memory or disk, for which all tasks waited longer, and the percentage of the last minute. */
export function stallOf(pressure: { [resource: string]: string }): { resource: string; percent: number } {
  const share = (resource: string) => ({
    resource,
    percent: Number(/^full .*avg60=([\d.]+)/m.exec(pressure[resource] ?? '')?.[1] ?? 0),
  })
  const [memory, io] = [share('memory'), share('io')]
  return io.percent > memory.percent ? io : memory
}

/** Explains waiting for memory or for a disk if no limit explains it. */
export function stallCauses(name: string, pressure: { [resource: string]: string }): WhyCause[] {
  const { resource, percent } = stallOf(pressure)
  return [
    {
      kind: 'slowed',
      confidence: 'likely',
      wouldTell: 'the limits and the load of the disk: io.max, memory.stat, iostat -x',
      cause: 'slowed',
      limit: `${resource}.pressure`,
      headline: `all tasks of ${name} waited for ${resource === 'io' ? 'a disk' : 'memory'} in ${Math.round(percent)} % of the last minute`,
      evidence: [],
      remedy:
        resource === 'io'
          ? 'check what reads and writes: hutch top; and io.max of its groups'
          : 'check memory.stat of the group, and the free memory of the host',
    },
  ]
}

/** Percentage of waiting from which a group counts as thrashing: it mostly reads pages back that were just reclaimed from it. */
const thrashing = 10

function fullCause({ name, levels }: MemoryFacts, pressure: string | undefined): WhyCause[] {
  const share = Number(/^some .*avg60=([\d.]+)/m.exec(pressure ?? '')?.[1] ?? 0)
  const at = levels.findIndex(({ max, current = 0 }) => max !== undefined && current >= Number(max) * 0.98)
  const level = levels[at]
  if (share < thrashing || !level) return []
  return [
    {
      kind: 'slowed',
      confidence: 'likely',
      cause: 'slowed',
      limit: 'memory.max',
      whose: at === 0 ? 'own' : 'ancestor',
      group: level.path,
      headline: `${name} is full, and ${share} % of the last minute at least one of its tasks waited for memory reclaim`,
      evidence: [memoryLine(level.max, level)],
      remedy: measure(level.path, 'memory.max', Number(level.max)),
    },
  ]
}

/** Returns lines about how long tasks waited. `whole` is true if the figures are those of the whole machine. */
export function pressureLines(pressure: { [resource: string]: string }, whole = false): EvidenceLine[] {
  return Object.entries(pressure).flatMap(([resource, text]): EvidenceLine[] => {
    const { someUsec = 0, fullUsec } = parsePressure(text)
    const average = /^some .*avg300=([\d.]+)/m.exec(text)?.[1]
    if (someUsec < 1000) return []
    const parts = [
      `${whole ? 'whole machine, ' : ''}${resource}: some task waited ${formatDuration(someUsec / 1000)}`,
      fullUsec && `all of them ${formatDuration(fullUsec / 1000)}`,
      average !== undefined && `${average} % of the last 5 minutes`,
    ]
    return [['pressure', parts.filter(Boolean).join(', ')]]
  })
}
