// SPDX-License-Identifier: Apache-2.0
// What a recording has of every group: from when to when, and its largest figures.

import { byTree } from '../processes.ts'
import { rates } from '../rates.ts'
import type { Snapshot } from '../sample.ts'
import type { Recording } from './recording.ts'

export interface Overview {
  path: string
  from: number
  to: number
  /** The largest value of a sample; CPUs between two samples. */
  memory: number | undefined
  cpus: number | undefined
  pids: number | undefined
  /** Processes killed by the OOM killer while it was recorded. */
  oomKills: number
  /** How often it was throttled for memory.high meanwhile. */
  memoryHighEvents: number
}

/** Of all groups in the recording; a group stands behind the one it is in. */
export function summarize(recording: Recording): Overview[] {
  const groups = new Map<string, Overview>()
  let before: Snapshot | undefined
  for (const span of recording.spans)
    for (const now of recording.read(span)) {
      const rate = before && rates(before, now)
      for (const [path, sample] of now.groups) {
        const known = groups.get(path) ?? {
          path,
          from: now.time,
          to: now.time,
          memory: undefined,
          cpus: undefined,
          pids: undefined,
          oomKills: 0,
          memoryHighEvents: 0,
        }
        groups.set(path, known)
        known.to = now.time
        known.memory = larger(known.memory, sample.memory)
        known.pids = larger(known.pids, sample.pids)
        known.cpus = larger(known.cpus, rate?.get(path)?.cpus)
      }
      before = now
    }
  for (const { path, kind, count } of recording.events()) {
    const known = groups.get(path)
    if (known && kind === 'oom') known.oomKills += count
    if (known && kind === 'high') known.memoryHighEvents += count
  }
  return [...groups.values()].sort((a, b) => byTree(a.path, b.path))
}

function larger(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (b ?? a) : Math.max(a, b)
}
