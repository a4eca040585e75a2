// SPDX-License-Identifier: Apache-2.0
// --device → what is attached, and which devices the job may use at all. Pure.

import type { LegacyWrite } from '../cgroup/v1/translate.ts'
import { containedCapabilities, parseCapabilityMask } from '../credentials/capability.ts'
import { compileDeviceFilter, type DeviceRule, formatDeviceRule, usualDevices } from '../devices/device-filter.ts'
import { fail } from '../errors/errors.ts'
import { type Mount, mountAttributes } from '../mounts/root.ts'
import { optionName } from '../options/names.ts'
import type { Door, Spec } from '../options/spec.ts'
import type { Identity } from './credentials.ts'

/** A device of the host, as asked for. */
interface Device {
  path: string
  inside: string
  /** Letters of r, w and m. */
  access: string
  origin: string
}

const accepted = 'PATH[:INSIDE][:rwm], such as /dev/fuse or /dev/sdb:/dev/disk:r'

/** Reads the list. @throws OPTION_INVALID */
export function parseDevices(list: unknown, door: Door): Device[] {
  const name = optionName('devices', door)
  if (!Array.isArray(list)) throw invalid(name, list, 'it is not a list')
  return list.map((word: unknown, i) => parseDevice(word, door === 'cli' ? name : `${name}[${i}]`))
}

function parseDevice(word: unknown, origin: string): Device {
  if (typeof word !== 'string' || word.includes('\0')) throw invalid(origin, word, 'it is not a string without NUL')
  const [path = '', ...more] = word.split(':')
  // paths begin with "/", and the letters of access never do
  const access = more.length > 0 && !more.at(-1)!.startsWith('/') ? more.pop()! : 'rwm'
  const [inside = path, tooMuch] = more
  if (tooMuch !== undefined) throw invalid(origin, word, 'it has too many parts')
  if (!/^(?!.*(.).*\1)[rwm]+$/.test(access)) throw invalid(origin, word, 'the access is not letters of r, w and m')
  for (const one of [path, inside])
    if (!one.startsWith('/') || one.split('/').includes('..') || one.length > 3000 || /^[/.]*$/.test(one))
      throw invalid(origin, word, 'a path is not absolute, or has ".." in it')
  return { path, inside, access, origin }
}

/**
 * A device node is bound from the host: a user namespace cannot create one, and a swapped node is not in the list below.
 */
export function deviceMount({ path, inside, origin }: Device): Mount {
  const attributes = mountAttributes.nosuid + mountAttributes.noexec
  return {
    kind: 'volume',
    source: path,
    target: inside,
    recursive: false,
    attributes,
    absent: mountAttributes.nodev,
    origin,
  }
}

/** Who has a /dev of its own may use what is in it, and nothing else. */
export function limitsDevices({ root }: Spec): boolean {
  return root !== undefined && (root.dev || root.directory !== undefined)
}

/**
 * Returns whether the device list is needed to deny other devices. Otherwise no node can be created, no node of the image works, and no
 * capability bypasses that. CAP_MKNOD creates nodes, CAP_SYS_ADMIN removes nodev, CAP_DAC_READ_SEARCH opens files by handle. With any
 * capability beyond the default ones, the list is used.
 */
function takesList({ root, joins }: Spec, { capabilities }: Identity): boolean {
  const bounding = capabilities?.bounding
  if (root?.directory === undefined || root.devices.length > 0 || joins.length > 0 || bounding === undefined)
    return true
  if (root.mounts.some(({ attributes }) => !(attributes & mountAttributes.nodev))) return true
  return parseCapabilityMask(bounding.toString(16)).some((one) => !containedCapabilities.includes(one))
}

/** Where and how the list is held; undefined: by nothing. @throws OPTION_CONFLICT */
export function planDevices(
  spec: Spec,
  rules: readonly DeviceRule[],
  means: 'v1' | 'v2' | 'none',
  identity: Identity,
): { writes: LegacyWrite[]; filter?: number[] } {
  if (!limitsDevices(spec)) return { writes: [] }
  const limited = spec.root!.devices.find(({ access }) => access.length < 3)
  if (means === 'none' && limited)
    throw fail('OPTION_CONFLICT', {
      name: `${limited.origin} ${limited.path}`,
      why: `only root can limit it to ${limited.access}, by the devices controller`,
      remedy: 'leave the letters out, or run as root in the initial user namespace',
    })
  if (means === 'none' || !takesList(spec, identity)) return { writes: [] }
  const all = [...usualDevices, ...rules]
  if (means === 'v2') return { writes: [], filter: compileDeviceFilter(all) }
  const origin = originOf(spec)
  const write = (file: string, value: string, by = origin): LegacyWrite => ({
    controller: 'devices',
    file,
    value,
    origin: by,
  })
  return {
    writes: [
      write('devices.deny', 'a'),
      ...usualDevices.map((one) => write('devices.allow', formatDeviceRule(one))),
      ...rules.map((one, i) => write('devices.allow', formatDeviceRule(one), spec.root!.devices[i]!.origin)),
    ],
  }
}

/** The option that asked for a /dev of its own, as it was typed. */
export function originOf({ root, door }: Spec): string {
  const key = root?.directory !== undefined ? 'rootfs' : 'dev'
  return root?.devices[0]?.origin ?? optionName(key, door)
}

function invalid(name: string, value: unknown, why: string) {
  return fail('OPTION_INVALID', { name, value, why, accepted })
}
