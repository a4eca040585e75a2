// SPDX-License-Identifier: Apache-2.0
// Copies limits to the job's group from groups that contain the caller but not the job, so that the job does not escape
// them. A tighter limit of the job itself is kept. Pure.
import { controllerOf, type LimitWrite } from '../cgroup/v1/translate.ts'
import type { OuterLimit } from '../host/outer-limits.ts'

/**
 * A limit of a group that contains the caller but not the job. `held` is true if the job's group has a limit that is at
 * least as tight.
 */
export interface AppliedOuterLimit extends OuterLimit {
  /** True if the job's own group has a limit that is at least as tight. */
  held: boolean
}

/** Returns a limit's value as a number that can be compared. Returns undefined for files that have several values. */
function measure(file: string, text: string): number | undefined {
  if (file === 'cpu.max') {
    const [quota, period = '100000'] = text.split(' ')
    return quota === 'max' ? Number.POSITIVE_INFINITY : Number(quota) / Number(period)
  }
  if (!/\.(max|high)$/.test(file) || file === 'io.max' || /\s/.test(text)) return undefined
  return text === 'max' ? Number.POSITIVE_INFINITY : Number(text)
}

/**
 * Adds the limits of outer groups to those of the job. Tells for each whether the job's group enforces it. `available`
 * are the controllers that the job's group can have.
 */
export function addOuterLimits(
  requested: readonly LimitWrite[],
  outer: readonly OuterLimit[],
  available: readonly string[],
): { limits: LimitWrite[]; outer: AppliedOuterLimit[] } {
  const limits = [...requested]
  const held = outer.map((limit): AppliedOuterLimit => {
    const { file, value, directory } = limit
    if (!available.includes(controllerOf(file))) return { ...limit, held: false }
    const at = limits.findIndex((one) => one.file === file)
    const writes = value.split('\n').map((line) => ({ file, value: line, origin: `${file} of ${directory}` }))
    const [theirs, ours] = [measure(file, value), at < 0 ? undefined : measure(file, limits[at]!.value)]
    // lists of CPUs or devices cannot be compared by size: use the first, which is the smallest set, unless the job
    // requests its own
    if (at >= 0 && (theirs === undefined || ours === undefined))
      return { ...limit, held: limits[at]!.origin.endsWith(` of ${directory}`) || !requested.includes(limits[at]!) }
    if (at < 0) limits.push(...writes)
    else if (theirs! < ours!) limits.splice(at, 1, ...writes)
    return { ...limit, held: true }
  })
  return { limits, outer: held }
}

/** Returns the outer group from which this limit of the job was copied. Returns undefined for a limit of the job itself. */
export function outerOwner(write: LimitWrite | undefined, outer: readonly AppliedOuterLimit[]): string | undefined {
  return write && outer.find(({ file, directory }) => write.origin === `${file} of ${directory}`)?.directory
}
