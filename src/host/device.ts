// SPDX-License-Identifier: Apache-2.0
// Looks up device files and block devices, and whether this process may limit the use of devices on v2.

import { fail } from '../errors/errors.ts'
import { existsSync, readFileSync, realpathSync, statSync } from '../system/files.ts'

/** A device: its type and numbers, as a device file names them. */
interface DeviceNumber {
  type: 'c' | 'b'
  major: number
  minor: number
}

/** Reads a device file and follows symbolic links. `origin` is the option as the user typed it. @throws OPTION_INVALID */
export function readDevice(path: string, origin: string): DeviceNumber {
  let why = 'not a device'
  try {
    const found = statSync(path)
    if (found.isCharacterDevice() || found.isBlockDevice())
      return { type: found.isBlockDevice() ? 'b' : 'c', ...splitNumber(found.rdev) }
  } catch (error) {
    why = `it cannot be examined (${(error as NodeJS.ErrnoException).code})`
  }
  throw fail('OPTION_INVALID', { name: origin, value: path, why, accepted: 'a device file, such as /dev/fuse' })
}

/** Returns the major and minor number of a dev_t in glibc's encoding: makedev(3). */
export function splitNumber(device: number): { major: number; minor: number } {
  const [low, high] = [device % 2 ** 32, Math.floor(device / 2 ** 32)]
  return {
    major: (((low >>> 8) & 0xfff) | (high & 0xffff_f000)) >>> 0,
    minor: ((low & 0xff) | ((low >>> 12) & 0xfff_ff00)) >>> 0,
  }
}

/**
 * Suggests the MAJ:MIN for a limit on a block device that was given as a name (sda), a path (/dev/sda) or a number (8:1).
 * Returns undefined if the text names no block device or is already the number of a whole device.
 */
export function explainDevice(name: string): string | undefined {
  const number = blockNumber(name)
  if (number === undefined) return undefined
  const whole = wholeDevice(number)
  if (whole !== number) return `${name} is a partition, and the kernel limits whole devices: this one is ${whole}`
  return number === name ? undefined : `a device is given by its number: ${name} is ${number}`
}

/**
 * Replaces a path at the start of a value, as in `/dev/sda rbps=1M`, by the device's number, the only form that the kernel accepts.
 * Returns other values unchanged. @throws OPTION_INVALID if the path is not a whole block device
 */
export function withDeviceNumber(text: string, name: string): string {
  if (!text.startsWith('/')) return text
  const path = text.split(' ', 1)[0]!
  const number = blockNumber(path)
  const whole = number === undefined ? undefined : wholeDevice(number)
  if (number !== undefined && whole === number) return number + text.slice(path.length)
  throw fail('OPTION_INVALID', {
    name,
    value: path,
    why: whole === undefined ? 'not a block device' : 'it is a partition, and the kernel limits whole devices',
    accepted: whole === undefined ? 'a block device such as /dev/sda, or MAJOR:MINOR; `lsblk` lists them' : whole,
  })
}

function blockNumber(name: string): string | undefined {
  const byNumber = /^\d{1,4}:\d{1,8}$/.test(name)
  const short = name.replace(/^\/dev\//, '').replaceAll('/', '!')
  if (byNumber) return existsSync(`/sys/dev/block/${name}`) ? name : undefined
  try {
    if (!name.startsWith('/')) return readFileSync(`/sys/class/block/${short}/dev`, 'utf8').trim()
    const found = statSync(name)
    const { major, minor } = splitNumber(found.rdev)
    return found.isBlockDevice() ? `${major}:${minor}` : undefined
  } catch {
    return undefined
  }
}

/** Finds the whole device to which a partition belongs. In sysfs, the directory of a partition is inside that of its device. */
function wholeDevice(number: string): string {
  try {
    const directory = realpathSync(`/sys/dev/block/${number}`)
    return existsSync(`${directory}/partition`) ? readFileSync(`${directory}/../dev`, 'utf8').trim() : number
  } catch {
    return number
  }
}

let initial: boolean | undefined

/** Returns whether this process is in the initial user namespace. In others bpf(2) accepts no device program, even with capabilities. */
export function isInitialUserNamespace(): boolean {
  initial ??= /^\s*0\s+0\s+4294967295\s*$/.test(readFileSync('/proc/self/uid_map', 'utf8'))
  return initial
}
