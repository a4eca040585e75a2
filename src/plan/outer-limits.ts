// SPDX-License-Identifier: Apache-2.0
// Limits of groups that contain the caller but cannot contain the job. They are set for the job itself, unless its own are tighter. Pure.
import { controllerOf, type LimitWrite } from '../cgroup/v1/translate.ts'
import type { OuterLimit } from '../host/outer-limits.ts'

/** An outer limit, and whether it holds for the job all the same: by its own value, which is at most as large. */
export interface AppliedOuterLimit extends OuterLimit {
  held: boolean
}

/** How the tighter of two texts of a file is found; a file without an entry holds several values, which are not compared. */
function measure(file: string, text: string): number | undefined {
  if (file === 'cpu.max') {
    const [quota, period = '100000'] = text.split(' ')
    return quota === 'max' ? Number.POSITIVE_INFINITY : Number(quota) / Number(period)
  }
  if (!/\.(max|high)$/.test(file) || file === 'io.max' || /\s/.test(text)) return undefined
  return text === 'max' ? Number.POSITIVE_INFINITY : Number(text)
}

/** The limits to be set, and what became of each outer one. `available`: controllers that the job's group can have. */
export function addOuterLimits(
  asked: readonly LimitWrite[],
  outer: readonly OuterLimit[],
  available: readonly string[],
): { limits: LimitWrite[]; outer: AppliedOuterLimit[] } {
  const limits = [...asked]
  const held = outer.map((limit): AppliedOuterLimit => {
    const { file, value, directory } = limit
    if (!available.includes(controllerOf(file))) return { ...limit, held: false }
    const at = limits.findIndex((one) => one.file === file)
    const writes = value.split('\n').map((line) => ({ file, value: line, origin: `${file} of ${directory}` }))
    const [theirs, ours] = [measure(file, value), at < 0 ? undefined : measure(file, limits[at]!.value)]
    // of CPUs and devices the nearest group's are taken, which are the fewest; those asked for may be others
    if (at >= 0 && (theirs === undefined || ours === undefined))
      return { ...limit, held: limits[at]!.origin.endsWith(` of ${directory}`) || !asked.includes(limits[at]!) }
    if (at < 0) limits.push(...writes)
    else if (theirs! < ours!) limits.splice(at, 1, ...writes)
    return { ...limit, held: true }
  })
  return { limits, outer: held }
}

/** Whether a limit of the job's group is one of a group that it could not be in; that group. */
export function outerOwner(write: LimitWrite | undefined, outer: readonly AppliedOuterLimit[]): string | undefined {
  return write && outer.find(({ file, directory }) => write.origin === `${file} of ${directory}`)?.directory
}
