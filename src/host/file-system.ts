// SPDX-License-Identifier: Apache-2.0
// Finds the file system that holds a path, its type and its free space: proc_pid_mountinfo(5), statfs(2).

import { readFileSync, realpathSync, statfsSync } from '../system/files.ts'
import { isBelow } from '../text/paths.ts'

/** A mounted file system as a process sees it. */
interface Mounted {
  directory: string
  type: string
  writable: boolean
}

/** A writable file system as a process sees it. */
type WritableMount = Omit<Mounted, 'writable'>

/** Parses /proc/PID/mountinfo. Returns the mounts in the order of the file. */
function parseMounts(mountinfo: string): Mounted[] {
  return mountinfo.split('\n').flatMap((line) => {
    const [, , , , target, options] = line.split(' ')
    const [, type = '', , superOptions = ''] = / - (\S+) (\S*) (\S+)/.exec(line) ?? []
    if (target === undefined || options === undefined) return []
    const directory = target.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
    return [{ directory, type, writable: ![options, superOptions].some((words) => words.split(',').includes('ro')) }]
  })
}

function readMounts(): Mounted[] {
  return parseMounts(readFileSync('/proc/self/mountinfo', 'utf8'))
}

/** Returns the mount nearest to the path. If several are stacked on one directory, returns the last. Returns undefined if the path is missing. */
function nearestMount(mounts: readonly Mounted[], path: string): Mounted | undefined {
  try {
    const real = realpathSync(path)
    return mounts
      .filter(({ directory }) => isBelow(real, directory))
      .reduce<Mounted | undefined>(
        (found, mount) => (mount.directory.length >= (found?.directory.length ?? 0) ? mount : found),
        undefined,
      )
  } catch {
    return undefined
  }
}

/** Returns the type of the file system that holds a path, such as "ext4". Returns '' if it is unknown. */
export function findFileSystem(path: string): string {
  try {
    return nearestMount(readMounts(), path)?.type ?? ''
  } catch {
    return ''
  }
}

/** File systems whose usage can be read without waiting for another machine or process. */
const local = new Set(['tmpfs', 'ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'f2fs', 'overlay'])

/** Returns the writable local mounts in /proc/PID/mountinfo. Of several mounts on one directory, the last counts. */
export function parseWritable(mountinfo: string): WritableMount[] {
  return writableMounts(parseMounts(mountinfo))
}

function writableMounts(mounts: readonly Mounted[]): WritableMount[] {
  const last = new Map(mounts.map((mount) => [mount.directory, mount]))
  return [...last.values()]
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
 * Returns the full file systems of a process, by the usage of paths below /proc/PID/root. The process may replace such a path by a link.
 * Such a link can only lead to another local file system.
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
  const mounts = readMounts()
  const holding = new Set(paths.map((path) => nearestMount(mounts, path)?.directory))
  return readFull(
    'self',
    writableMounts(mounts).filter(({ directory }) => holding.has(directory)),
  )
}
