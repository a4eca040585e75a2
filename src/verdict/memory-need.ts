// SPDX-License-Identifier: Apache-2.0
// Computes the next memory limit after one was too low. The kernel does not know how much a killed program would have needed. The next run
// therefore gets what this host can spare, and its peak is the need. Called by remedies.ts and why/; pure, except spareMemory.
import { freemem } from '../system/machine.ts'

const MiB = 2 ** 20
const GiB = 2 ** 30

/** Returns the bytes that are available on this host now: MemAvailable. */
export function spareMemory(): number {
  return freemem()
}

/** Of what is available, so much may be tried: others go on. */
const share = 0.5
/** Below a limit of a group above, so much less: the groups beside it need some. */
const belowAbove = 0.9
/** A limit that is not larger than this many times the old one measures nothing. */
const least = 1.25

/**
 * Returns a limit in bytes, whole MiB or GiB, for one run that measures the need. Returns undefined if there is no room above `limit`.
 * `spare` is what the host has available, `above` the lowest limit of the groups above.
 */
export function measuringLimit(limit: number, spare: number, above = Number.POSITIVE_INFINITY): number | undefined {
  const most = Math.min(spare * share, above * belowAbove)
  const unit = most >= 2 * GiB ? GiB : MiB
  const bytes = Math.floor(most / unit) * unit
  return bytes >= limit * least ? bytes : undefined
}

/** Returns a limit that holds a peak that was measured: 10 % and 2 MiB above it, since no two runs are equal. */
export function limitForPeak(peak: number): number {
  return Math.ceil((peak * 1.1) / MiB + 2) * MiB
}

/** Returns bytes as options and files take them: `88M`, `11G`. */
export function sizeText(bytes: number): string {
  return bytes % GiB === 0 ? `${bytes / GiB}G` : `${Math.ceil(bytes / MiB)}M`
}
