// SPDX-License-Identifier: Apache-2.0
// Explains why the kernel refused the value of a limit: the conflicting value of another group or of the machine. Does not load the
// catalogue, because the launch path uses it.
import { explainDevice } from '../host/device.ts'
import { formatSize, parseSize } from '../text/units.ts'
import { readChildren, readGroupFile } from './files.ts'
import { findConflict, type Share } from './v1/cpu-quota.ts'

/** Why the kernel refused a limit, as lines of evidence, and a remedy. */
export interface LimitReason {
  evidence: string[]
  remedy: string
}

/** A write that the kernel refused. `read` returns the text of a file of the group, even after the group was removed. */
interface RefusedLimit {
  directory: string
  file: string
  value: string
  errno: string
  read?: (file: string) => string | undefined
}

type Explain = (refused: Required<RefusedLimit>) => LimitReason | undefined

const byFile: { [file: string]: Explain } = {
  'cpu.cfs_quota_us': explainShare,
  'cpu.cfs_period_us': explainShare,
  'cpuset.cpus': explainCpuset,
  'cpuset.mems': explainCpuset,
  'cpuset.cpu_exclusive': explainCpuset,
  'cpuset.mem_exclusive': explainCpuset,
  'cpuset.cpus.exclusive': explainCpuset,
  'memory.limit_in_bytes': explainMemory,
  'memory.memsw.limit_in_bytes': explainMemory,
}

/** Explains why a limit was refused. Returns undefined if the errno explains it sufficiently. */
export function explainLimit(refused: RefusedLimit): LimitReason | undefined {
  const { directory, file, value, errno } = refused
  const read = refused.read ?? ((name: string) => readGroupFile(directory, name))
  const special = Object.hasOwn(byFile, file) ? byFile[file]!({ ...refused, read }) : undefined
  if (special) return special
  const device = /^(io|blkio)\./.test(file) && ['EINVAL', 'ENODEV', 'ENXIO'].includes(errno)
  const found = device ? explainDevice(value.trim().split(/\s+/)[0]!) : undefined
  return found === undefined
    ? undefined
    : { evidence: [found], remedy: 'name the whole device as lsblk shows it (MAJ:MIN)' }
}

const parentOf = (directory: string): string => directory.slice(0, directory.lastIndexOf('/'))

const cpusOf = ({ quota, period }: Share): string => String(Math.floor((quota / period) * 1000) / 1000)

const describeShare = (share: Share): string =>
  `${share.directory} has ${share.quota} µs in ${share.period} µs (${cpusOf(share)} CPUs)`

/**
 * Explains a share of CPU time that v1 refuses because it is larger than an ancestor's, or smaller than a descendant's. v2 accepts such a
 * share, and applies the lowest quota.
 */
function explainShare({ directory, file, value, errno, read }: Required<RefusedLimit>): LimitReason | undefined {
  if (errno !== 'EINVAL') return undefined
  const isQuota = file === 'cpu.cfs_quota_us'
  const quota = Number(isQuota ? value : read('cpu.cfs_quota_us'))
  const period = Number(isQuota ? (read('cpu.cfs_period_us') ?? 100_000) : value)
  const conflict = findConflict(directory, quota, period)
  if (conflict && 'above' in conflict)
    return {
      evidence: [`${describeShare(conflict.above)}, and on v1 no group below it may have a larger share`],
      remedy: `give at most ${cpusOf(conflict.above)} CPUs, or raise the limit of that group first`,
    }
  if (conflict)
    return {
      evidence: [`${describeShare(conflict.below)}, and on v1 no group above it may have a smaller share`],
      remedy: `give at least ${cpusOf(conflict.below)} CPUs, or lower the limit of that group first`,
    }
  const burst = Number(read('cpu.cfs_burst_us'))
  return quota > 0 && burst > quota
    ? { evidence: [`cpu.cfs_burst_us of the group is ${burst} µs`], remedy: 'lower that first, or give a larger quota' }
    : undefined
}

/** Explains a conflict of v1's two memory limits: the limit of memory and swap together cannot be below the limit of memory. */
function explainMemory({ file, value, errno, read }: Required<RefusedLimit>): LimitReason | undefined {
  const other = file === 'memory.limit_in_bytes' ? 'memory.memsw.limit_in_bytes' : 'memory.limit_in_bytes'
  const [text, limit] = [read(other), Number(read(other))]
  if (text === undefined || !Number.isFinite(limit)) return undefined
  const stated = `${other} of the group is ${text} (${formatSize(limit)})`
  if (errno === 'EINVAL' && file === 'memory.limit_in_bytes' && limit < 2 ** 62)
    return {
      evidence: [`${stated}, and memory may not exceed memory and swap together`],
      remedy: `raise ${other} first`,
    }
  return errno === 'EINVAL' && Number(parseSize(value)) < limit
    ? { evidence: [`${stated}, and memory and swap together may not be below it`], remedy: `lower ${other} first` }
    : undefined
}

/** Returns the CPUs or memory nodes that this machine has, such as `0-1`. */
function onlineOf(file: string): string {
  const kind = file.includes('mem') ? 'node' : 'cpu'
  return readGroupFile(`/sys/devices/system/${kind}`, 'online') ?? '0'
}

/** Parses a list such as `0-2,5` into a set. */
function numbersOf(list: string | undefined): Set<number> {
  const numbers = new Set<number>()
  for (const [, first, last = first] of (list ?? '').matchAll(/(\d{1,6})(?:-(\d{1,6}))?/g))
    for (let number = Number(first); number <= Number(last); number++) numbers.add(number)
  return numbers
}

const overlap = (list: string | undefined, others: ReadonlySet<number>): boolean =>
  [...numbersOf(list)].some((number) => others.has(number))

/** Returns the file, with its value, by which a group has its CPUs or memory nodes exclusively: v1's flag, or v2's list. */
const holdsAlone = (directory: string, what: 'cpus' | 'mems'): string | undefined => {
  const flag = what === 'cpus' ? 'cpuset.cpu_exclusive' : 'cpuset.mem_exclusive'
  if (readGroupFile(directory, flag) === '1') return `${flag} 1`
  const list = what === 'cpus' ? readGroupFile(directory, 'cpuset.cpus.exclusive') : undefined
  return list ? `cpuset.cpus.exclusive ${list}` : undefined
}

function explainCpuset({ directory, file, value, errno, read }: Required<RefusedLimit>): LimitReason | undefined {
  const what = /mem/.test(file) ? 'mems' : 'cpus'
  const words = what === 'mems' ? 'memory nodes' : 'CPUs'
  const parent = parentOf(directory)
  const above = [`cpuset.${what}.effective`, `cpuset.${what}`].map((name) => readGroupFile(parent, name)).find(Boolean)
  const has = `cpuset.${what} above it: ${above ?? 'empty'}`
  switch (errno) {
    case 'EACCES':
      if (/_exclusive$/.test(file) && value === '1' && readGroupFile(parent, file) === '0')
        return {
          evidence: [`${parent} does not have its ${words} for itself (${file} 0)`],
          remedy: `set ${file} to 1 there first`,
        }
      return readGroupFile(parent, `cpuset.${what}`) === undefined
        ? undefined
        : { evidence: [has], remedy: `give ${words} that the group above it has` }
    case 'ENOSPC':
      return {
        evidence: ['it has processes, which need a CPU and a memory node', has],
        remedy: 'move them first',
      }
    case 'EBUSY':
      return {
        evidence: ['descendants of the group, or its own tasks, use CPUs or nodes that would be removed'],
        remedy: 'free it there first',
      }
    case 'EINVAL':
    case 'ERANGE': {
      const online = onlineOf(file)
      const wanted = numbersOf(/exclusive$/.test(file) && value.length < 2 ? read(`cpuset.${what}`) : value)
      const missing = [...wanted].filter((number) => !numbersOf(online).has(number))
      if (missing.length > 0)
        return { evidence: [`this machine has the ${words} ${online}`, has], remedy: `give ${words} of ${online}` }
      const own = holdsAlone(directory, what) !== undefined || file !== `cpuset.${what}`
      const holder = readChildren(parent)
        .map((name) => `${parent}/${name}`)
        .filter((sibling) => sibling !== directory)
        .find((sibling) => {
          const alone = holdsAlone(sibling, what)
          const list = readGroupFile(sibling, 'cpuset.cpus.exclusive') || readGroupFile(sibling, `cpuset.${what}`)
          return (own || alone !== undefined) && overlap(list, wanted)
        })
      if (holder === undefined)
        return { evidence: [has], remedy: `give a list such as ${online} of what the machine has` }
      const alone = holdsAlone(holder, what)
      return {
        evidence: [
          `${holder} has the ${words} ${readGroupFile(holder, `cpuset.${what}`)}${alone ? ` for itself (${alone})` : ''}`,
          ...(alone ? [] : ['this group is to have them for itself']),
        ],
        remedy: `give other ${words}, or free them there first`,
      }
    }
    default:
      return undefined
  }
}
