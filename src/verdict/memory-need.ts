// SPDX-License-Identifier: Apache-2.0
// Computes which memory limit to try after one was too low. The kernel does not know how much a killed program would
// have needed. The next run therefore gets a large limit that this host can spare, and its peak shows the need. Called
// by remedies.ts and why/; pure, except spareMemory.
import { freemem } from '../system/machine.ts'

const MiB = 2 ** 20
const GiB = 2 ** 30

/** Returns how many bytes of memory are available on this host (MemAvailable). */
export function spareMemory(): number {
  return freemem()
}

/** Share of the available memory to use as the limit; the rest is left for other programs. */
const share = 0.5
/** Share of an ancestor's limit that the job's new limit may take. The rest is left for the other groups below that ancestor. */
const belowAbove = 0.9
/** Minimum ratio of the new limit to the old limit; a smaller increase would not help. */
const minRatio = 1.25

/**
 * Returns a limit in bytes for a run that measures the need, in whole MiB or GiB. Returns undefined if no sufficiently
 * larger limit is possible. `spare` is the memory available on the host, `above` the lowest limit of the ancestors.
 */
export function measuringLimit(limit: number, spare: number, above = Number.POSITIVE_INFINITY): number | undefined {
  const maxLimit = Math.min(spare * share, above * belowAbove)
  const unit = maxLimit >= 2 * GiB ? GiB : MiB
  const bytes = Math.floor(maxLimit / unit) * unit
  return bytes >= limit * minRatio ? bytes : undefined
}

/** Returns a limit in bytes for a job with a known peak: 10 % and 2 MiB above the peak, because runs differ. */
export function limitForPeak(peak: number): number {
  return Math.ceil((peak * 1.1) / MiB + 2) * MiB
}

/** Formats bytes as options and kernel files accept them, such as `88M` or `11G`. */
export function sizeText(bytes: number): string {
  return bytes % GiB === 0 ? `${bytes / GiB}G` : `${Math.ceil(bytes / MiB)}M`
}
