// SPDX-License-Identifier: Apache-2.0
// Parses the option `devices`. Called by options.ts; pure.

import { fail } from '../errors/errors.ts'
import type { Mount } from '../mounts/root.ts'
import { mountAttributes } from '../ops/mount-flags.ts'
import { specFrontends } from './frontends.ts'
import { optionName } from './names.ts'
import type { SpecFrontendName } from './spec.ts'

/** A device of the host that the job may use. */
interface Device {
  path: string
  inside: string
  /** The requested access: some of the letters r, w and m, for read, write and mknod. */
  access: string
  origin: string
}

const accepted = 'PATH[:INSIDE][:rwm], such as /dev/fuse or /dev/sdb:/dev/disk:r'

/** Parses the value of the option `devices`. @throws OPTION_INVALID */
export function parseDevices(list: unknown, frontend: SpecFrontendName): Device[] {
  const name = optionName('devices', frontend)
  if (!Array.isArray(list)) throw invalid(name, list, 'not a list')
  return list.map((word: unknown, i) => parseDevice(word, specFrontends[frontend].nameElement(name, i)))
}

function parseDevice(word: unknown, origin: string): Device {
  if (typeof word !== 'string' || word.includes('\0')) throw invalid(origin, word, 'not a string without NUL')
  const [path = '', ...more] = word.split(':')
  // the access is the last part, if it does not begin with "/" as paths do; the default is rwm
  const access = more.length > 0 && !more.at(-1)!.startsWith('/') ? more.pop()! : 'rwm'
  const [inside = path, tooMuch] = more
  if (tooMuch !== undefined) throw invalid(origin, word, 'it has too many parts')
  if (!/^[rwm]{1,3}$/.test(access) || /(.).*\1/.test(access))
    throw invalid(origin, word, 'the access is not letters of r, w and m')
  for (const one of [path, inside])
    if (!one.startsWith('/') || one.split('/').includes('..') || one.length > 3000 || /^[/.]*$/.test(one))
      throw invalid(origin, word, 'a path is not absolute, or has ".." in it')
  return { path, inside, access, origin }
}

/**
 * Returns the bind mount of a device file, because a user namespace cannot create device files. If the host's file is
 * replaced later, the new device is still refused, because it is not in the list of allowed devices.
 */
export function deviceMount({ path, inside, origin }: Device): Mount {
  const flags = mountAttributes.nosuid + mountAttributes.noexec
  return {
    type: 'bind',
    source: path,
    target: inside,
    flags,
    data: [],
    recursive: false,
    absent: mountAttributes.nodev,
    origin,
  }
}

function invalid(name: string, value: unknown, why: string) {
  return fail('OPTION_INVALID', { name, value, why, accepted })
}
