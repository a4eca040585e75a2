// SPDX-License-Identifier: Apache-2.0
// Finds the file system that holds a path, its type and its free space: proc_pid_mountinfo(5), statfs(2).

import { readFileSync, realpathSync, statfsSync } from '../system/files.ts'
import { isBelow } from '../text/paths.ts'

/** Returns the type, such as "ext4". Returns '' if it is unknown. */
export function findFileSystem(path: string): string {
  try {
    return mountOf(readFileSync('/proc/self/mountinfo', 'utf8'), realpathSync(path)).type
  } catch {
    return ''
  }
}

/** Returns the mount nearest to the path. If several are stacked on one directory, returns the last. */
function mountOf(mountinfo: string, path: string): { target: string; type: string } {
  let found = { target: '', type: '' }
  for (const line of mountinfo.split('\n')) {
    const [, target = '', type = ''] = /^\d+ \d+ \S+ \S+ (\S+) .* - (\S+) /.exec(line) ?? []
    const plain = target.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
    if (isBelow(path, plain) && plain.length >= found.target.length) found = { target: plain, type }
  }
  return found
}

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

/** Maximum number of mounts that are examined. */
const maxMounts = 200
const statfsTmpfs = 0x01021994

/**
 * Returns the full file systems of a process, by the usage of paths below /proc/PID/root. The process may replace such a path by a link,
 * which can only lead to another file system of the same kinds.
 */
export function readFull(pid: number | 'self', mounts: readonly WritableMount[]): Fullness[] {
  return mounts.slice(0, maxMounts).flatMap((mount): Fullness[] => {
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

/** Returns the full file systems of this process that hold one of the paths and can be written. */
export function readFullAt(paths: readonly string[]): Fullness[] {
  const mountinfo = readFileSync('/proc/self/mountinfo', 'utf8')
  const targets = new Set(paths.map((path) => nearestMount(mountinfo, path)))
  return readFull(
    'self',
    parseWritable(mountinfo).filter(({ directory }) => targets.has(directory)),
  )
}

function nearestMount(mountinfo: string, path: string): string {
  try {
    return mountOf(mountinfo, realpathSync(path)).target
  } catch {
    return ''
  }
}
