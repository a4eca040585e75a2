// SPDX-License-Identifier: Apache-2.0
// Orders and checks CPU quotas on v1, where a group's share cannot exceed an ancestor's or be below a descendant's.
import { readChildren, readGroupFile } from '../files.ts'

/** The share of CPU time of a v1 group: quota and period, in microseconds. */
export interface Share {
  directory: string
  quota: number
  period: number
}

const quotaFile = 'cpu.cfs_quota_us'
const periodFile = 'cpu.cfs_period_us'

/** Returns quota divided by period in whole units of 2^-20, in which the kernel compares shares. */
const ratio = (quota: number, period: number): number => Math.floor((quota * 2 ** 20) / period)

const ratioOf = ({ quota, period }: Share): number => ratio(quota, period)

function ownShare(directory: string): Share | undefined {
  const quota = Number(readGroupFile(directory, quotaFile))
  if (!(quota > 0)) return undefined
  const period = Number(readGroupFile(directory, periodFile))
  return period > 0 ? { directory, quota, period } : undefined
}

/**
 * Returns the share that limits a group's children: the group's own, or that of its nearest ancestor with a quota. Searches up to the
 * hierarchy's `mount`.
 */
export function shareAt(directory: string, mount = '/'): Share | undefined {
  for (let at = directory; at.length >= mount.length; at = at.slice(0, at.lastIndexOf('/'))) {
    const share = ownShare(at)
    if (share) return share
  }
  return undefined
}

/** Returns the largest share of CPU time of the nearest descendants with a quota. */
function largestBelow(directory: string): Share | undefined {
  return readChildren(directory)
    .map((child) => ownShare(`${directory}/${child}`) ?? largestBelow(`${directory}/${child}`))
    .reduce((most, share) => (share && (!most || ratioOf(share) > ratioOf(most)) ? share : most), undefined)
}

/** Returns true if the share of `quota` in `period` is larger than `share`. */
export function isLarger(quota: number, period: number, share: Share): boolean {
  return ratio(quota, period) > ratioOf(share)
}

/** Returns the ancestor or descendant whose share of CPU time makes v1 refuse a new share for the group; undefined if none does. */
export function findConflict(
  directory: string,
  quota: number,
  period: number,
): { above: Share } | { below: Share } | undefined {
  if (quota < 0) return undefined
  const above = shareAt(directory.slice(0, directory.lastIndexOf('/')))
  if (above && isLarger(quota, period, above)) return { above }
  const below = largestBelow(directory)
  return below && ratio(quota, period) < ratioOf(below) ? { below } : undefined
}

/**
 * Returns the writes that set quota and period, in an order that the kernel accepts. After the first write, one file has its new value and
 * the other its old value, and the kernel checks the resulting share. If it accepts neither order, the quota is removed first; for a moment
 * the ancestor's share applies.
 */
export function orderQuota(directory: string, quota: string, period: string): [file: string, value: string][] {
  const before = ownShare(directory)
  const fits = (us: number, length: number) => findConflict(directory, us, length) === undefined
  const writes: [string, string][] = [
    [periodFile, period],
    [quotaFile, quota],
  ]
  if (!before || before.period === Number(period) || !fits(Number(quota), Number(period))) return writes
  if (fits(before.quota, Number(period))) return writes
  if (fits(Number(quota), before.period)) return writes.reverse()
  return [[quotaFile, '-1'], ...writes]
}
