// SPDX-License-Identifier: Apache-2.0
// Block devices by path, for files with a line for each device: the kernel takes MAJOR:MINOR alone.
import { readFileSync, statSync } from 'node:fs'
import { fail } from '../errors.ts'

/** Replaces a path at the beginning of a text by the device's number. Other texts stay as they are. @throws OPTION_INVALID */
export function withDeviceNumber(text: string, name: string): string {
  if (!text.startsWith('/')) return text
  const at = text.indexOf(' ')
  const path = at < 0 ? text : text.slice(0, at)
  const stat = statSync(path, { throwIfNoEntry: false })
  if (!stat?.isBlockDevice())
    throw fail('OPTION_INVALID', {
      name,
      value: path,
      why: stat ? 'it is not a block device' : 'it does not exist',
      accepted: 'a block device such as /dev/sda, or MAJOR:MINOR; `lsblk` lists them',
    })
  return wholeDisk(stat.rdev) + (at < 0 ? '' : text.slice(at))
}

/** Limits hold for whole disks: those of a partition are set for its disk, as the kernel does not take partitions. */
function wholeDisk(rdev: number): string {
  // glibc's makedev: 12 bits of the major number, 20 of the minor one
  const number = `${(rdev >>> 8) & 0xfff}:${(rdev & 0xff) | ((rdev >>> 12) & 0xfff00)}`
  const directory = `/sys/dev/block/${number}`
  if (!statSync(`${directory}/partition`, { throwIfNoEntry: false })) return number
  return readFileSync(`${directory}/../dev`, 'utf8').trim()
}
