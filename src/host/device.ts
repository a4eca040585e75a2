// SPDX-License-Identifier: Apache-2.0
// Device files of the host, and whether this process may limit the use of devices on v2.
import { readFileSync, statSync } from 'node:fs'
import { fail } from '../errors.ts'

/** What a device file stands for. */
export interface DeviceNumber {
  type: 'c' | 'b'
  major: number
  minor: number
}

/** Looks at a device file, through links. `origin` is the option as it was typed. @throws OPTION_INVALID */
export function readDevice(path: string, origin: string): DeviceNumber {
  let why = 'it is not a device'
  try {
    const found = statSync(path)
    if (found.isCharacterDevice() || found.isBlockDevice())
      return { type: found.isBlockDevice() ? 'b' : 'c', ...splitNumber(found.rdev) }
  } catch (error) {
    why = `it cannot be looked at (${(error as NodeJS.ErrnoException).code})`
  }
  throw fail('OPTION_INVALID', { name: origin, value: path, why, accepted: 'a device file, such as /dev/fuse' })
}

/** Major and minor of a dev_t as glibc has it: makedev(3). */
export function splitNumber(device: number): { major: number; minor: number } {
  const [low, high] = [device % 2 ** 32, Math.floor(device / 2 ** 32)]
  return {
    major: (((low >>> 8) & 0xfff) | (high & 0xffff_f000)) >>> 0,
    minor: ((low & 0xff) | ((low >>> 12) & 0xfff_ff00)) >>> 0,
  }
}

let initial: boolean | undefined

/** In any other user namespace bpf(2) takes no program for devices, whatever the capabilities are. */
export function isInitialUserNamespace(): boolean {
  initial ??= /^\s*0\s+0\s+4294967295\s*$/.test(readFileSync('/proc/self/uid_map', 'utf8'))
  return initial
}
