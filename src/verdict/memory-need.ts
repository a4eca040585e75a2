// SPDX-License-Identifier: Apache-2.0
// Computes the next memory limit after one was too low. The kernel does not know how much a killed program would have needed. The next run
// therefore gets what this host can spare, and its peak is the need. Called by remedies.ts and why/; pure, except spareMemory.
import { freemem } from '../system/machine.ts'

const MiB = 2 ** 20
const GiB = 2 ** 30

/** Returns the available bytes of this host: MemAvailable. */
export function spareMemory(): number {
  return freemem()
}

/** Share of the available memory to try; the rest is left for other programs. */
const share = 0.5
/** Share of an ancestor's limit to try; the rest is left for the other groups below that ancestor. */
const belowAbove = 0.9
/** Smallest useful ratio of the new limit to the old limit. */
const minRatio = 1.25

/**
 * Returns a limit in bytes, whole MiB or GiB, for one run that measures the need. Returns undefined if there is no room above `limit`.
 * `spare` is what the host has available, `above` the lowest limit of the groups above.
 */
export function measuringLimit(limit: number, spare: number, above = Number.POSITIVE_INFINITY): number | undefined {
  const maxLimit = Math.min(spare * share, above * belowAbove)
  const unit = maxLimit >= 2 * GiB ? GiB : MiB
  const bytes = Math.floor(maxLimit / unit) * unit
  return bytes >= limit * minRatio ? bytes : undefined
}

/** Returns a limit in bytes for a measured peak: 10 % and 2 MiB above it, because runs differ. */
export function limitForPeak(peak: number): number {
  return Math.ceil((peak * 1.1) / MiB + 2) * MiB
}

/** Returns bytes in the form that options and kernel files accept: `88M`, `11G`. */
export function sizeText(bytes: number): string {
  return bytes % GiB === 0 ? `${bytes / GiB}G` : `${Math.ceil(bytes / MiB)}M`
}
