// SPDX-License-Identifier: Apache-2.0
// Finds the full file systems that a process sees. Pure, except for `readFull`.
import { statfsSync } from '../system/files.ts'
import { quote, shellWord } from '../text/quote.ts'
import { formatSize } from '../text/units.ts'
import type { WhyCause } from './explanation.ts'

/** A writable file system as a process sees it. */
interface WritableMount {
  directory: string
  type: string
}

/** File systems whose usage can be read without waiting for another machine or process. */
const local = new Set(['tmpfs', 'ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'f2fs', 'overlay'])

/** Parses /proc/PID/mountinfo. Of several mounts on one directory, the last counts. */
export function parseWritable(mountinfo: string): WritableMount[] {
  const found = new Map<string, WritableMount & { writable: boolean }>()
  for (const line of mountinfo.split('\n')) {
    const [, , , , target, options] = line.split(' ')
    const [, type = '', , superOptions = ''] = / - (\S+) (\S+) (\S+)/.exec(line) ?? []
    if (target === undefined || options === undefined) continue
    const directory = target.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
    const writable = ![options, superOptions].some((words) => words.split(',').includes('ro'))
    found.set(directory, { directory, type, writable })
  }
  return [...found.values()]
    .filter(({ type, writable }) => writable && local.has(type))
    .map(({ directory, type }) => ({ directory, type }))
}

/** Usage of a file system: bytes and inodes. */
export interface Fullness extends WritableMount {
  size: number
  free: number
  inodes: number
  freeInodes: number
}

/** Returns the full file systems of `pid`, up to a maximum number. */
const mostMounts = 200
const statfsTmpfs = 0x01021994

/**
 * Reads the usage of a path below /proc/PID/root. The process may replace the path by a link, which can only lead to another
 * file system of the same kinds.
 */
export function readFull(pid: number, mounts: readonly WritableMount[]): Fullness[] {
  return mounts.slice(0, mostMounts).flatMap((mount): Fullness[] => {
    try {
      const { type, bsize, blocks, bfree, bavail, files, ffree } = statfsSync(`/proc/${pid}/root${mount.directory}`)
      if ((type === statfsTmpfs) !== (mount.type === 'tmpfs') || blocks === 0) return []
      const free = (mount.type === 'tmpfs' ? bfree : bavail) * bsize
      const full = { ...mount, size: blocks * bsize, free, inodes: files, freeInodes: ffree }
      return isFull(full) ? [full] : []
    } catch {
      return []
    }
  })
}

/** Returns whether a file system is full: less than 64 KiB or no inode is free. */
function isFull({ free, inodes, freeInodes }: Fullness): boolean {
  return free < 65_536 || (inodes > 0 && freeInodes === 0)
}

/** Explains what a full file system does to a writer. */
export function diskCauses(name: string, pid: number, full: readonly Fullness[]): WhyCause[] {
  return full.map(({ directory, type, size, free, inodes, freeInodes }) => {
    const names = free >= 65_536 && freeInodes === 0
    const mib = Math.ceil((size * 2) / 2 ** 20)
    return {
      kind: 'space',
      confidence: 'certain',
      cause: 'disk-full',
      headline: `${quote(directory)} is full as ${name} sees it: writes there fail with ENOSPC`,
      evidence: [
        [type, names ? `${inodes} inodes, none free` : `${formatSize(size)}   ${formatSize(free)} free`],
        ['seen by', `process ${pid}`],
      ],
      remedy:
        type === 'tmpfs'
          ? `give it more: --tmpfs ${shellWord(`${directory}:size=${mib}M`)}, or mount -o remount,size=${mib}M ${shellWord(directory)} inside; its files count as memory of the group`
          : 'remove files there, or give it another place to write',
    }
  })
}
