// SPDX-License-Identifier: Apache-2.0
// Limits of groups that contain the caller but cannot contain the job. They are set for the job itself, unless its own are tighter. Pure.
import { controllerOf, type LimitWrite } from '../cgroup/v1/translate.ts'
import type { OuterLimit } from '../host/outer-limits.ts'

/** An outer limit. `held` is true if the job's own limit is at least as tight. */
export interface AppliedOuterLimit extends OuterLimit {
  held: boolean
}

/** Returns the number by which two values of a file can be compared. Returns undefined for files with several values. */
function measure(file: string, text: string): number | undefined {
  if (file === 'cpu.max') {
    const [quota, period = '100000'] = text.split(' ')
    return quota === 'max' ? Number.POSITIVE_INFINITY : Number(quota) / Number(period)
  }
  if (!/\.(max|high)$/.test(file) || file === 'io.max' || /\s/.test(text)) return undefined
  return text === 'max' ? Number.POSITIVE_INFINITY : Number(text)
}

/**
 * Adds the outer limits to those of the job, and returns the result for each. `available` are the controllers that the job's group can
 * have.
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
    // CPUs and devices: the nearest group's value is the smallest set, but the requested set may differ from it
    if (at >= 0 && (theirs === undefined || ours === undefined))
      return { ...limit, held: limits[at]!.origin.endsWith(` of ${directory}`) || !requested.includes(limits[at]!) }
    if (at < 0) limits.push(...writes)
    else if (theirs! < ours!) limits.splice(at, 1, ...writes)
    return { ...limit, held: true }
  })
  return { limits, outer: held }
}

/** Returns the outer group whose limit was copied to the job's group by this write; undefined for a limit of the job itself. */
export function outerOwner(write: LimitWrite | undefined, outer: readonly AppliedOuterLimit[]): string | undefined {
  return write && outer.find(({ file, directory }) => write.origin === `${file} of ${directory}`)?.directory
}
