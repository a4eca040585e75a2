// SPDX-License-Identifier: Apache-2.0
// Converts `linux.resources.devices` to lines for v1 and to a BPF program for v2. Pure.
import { compileDeviceFilter, defaultDevices, type OrderedDeviceRule } from '../../devices/device-filter.ts'
import { formatOrderedRules, simplifyDeviceRules } from '../../devices/ordered-rules.ts'
import type { DeviceResource, Integer } from './linux-resources.ts'
import { invalid, parseInteger, type ResourceWrite, unsupported, writeOf } from './resource-values.ts'

const property = 'devices'

/** Device types of the config. Types that no node in a container has (fifo, unbuffered) are those of mknod(1). */
const types: { readonly [type: string]: readonly ('b' | 'c')[] } = {
  a: ['b', 'c'],
  b: ['b'],
  c: ['c'],
  u: ['c'],
  p: [],
}

const machineConsole = '5:1'

/**
 * The devices of every container, as runc allows them: those of a job, with /dev/net/tun, and without the machine's
 * console. A container's console is a pseudoterminal.
 */
const containerDevices: readonly OrderedDeviceRule[] = [
  ...defaultDevices.filter(({ major, minor }) => `${major}:${minor}` !== machineConsole),
  { type: 'c', major: 10, minor: 200, access: 'rwm' } as const,
].map((rule) => ({ ...rule, allow: true }))

/**
 * Returns the rules of the config, followed by those for the devices that every container has. At first, everything is
 * denied. @throws OPTION_INVALID
 */
export function orderRules(devices: readonly DeviceResource[]): OrderedDeviceRule[] {
  const rules = devices.flatMap(({ allow, type = 'a', major, minor, access = '' }, i): OrderedDeviceRule[] => {
    const name = `${property}[${i}]`
    if (access === '' || /[^rwm]/.test(access))
      throw invalid(`${name}.access`, access, 'letters of r (read), w (write) and m (create a node)')
    const ofTypes = types[type]
    if (!ofTypes) throw invalid(`${name}.type`, type, 'a, b, c, u or p')
    const numbers = { major: numberOf(major, `${name}.major`), minor: numberOf(minor, `${name}.minor`) }
    return ofTypes.map((one) => ({ allow, type: one, ...numbers, access }))
  })
  return [...rules, ...containerDevices]
}

/** Returns a part of a device number. -1 and no number stand for all. */
function numberOf(value: Integer | undefined, name: string): number | '*' {
  if (value === undefined || value === null) return '*'
  const number = Number(parseInteger(value, name))
  return number === -1 ? '*' : number
}

/** Returns the BPF program for a v2 group. @throws OPTION_INVALID */
export function filterDevices(devices: readonly DeviceResource[]): number[] {
  return compileDeviceFilter(simplifyDeviceRules(orderRules(devices)).reverse())
}

/** Returns the writes for a new v1 group. @throws OPTION_INVALID, CGROUP_LIMIT_UNSUPPORTED */
export function deviceWrites(devices: readonly DeviceResource[]): ResourceWrite[] {
  const lines = formatOrderedRules(orderRules(devices))
  if ('refused' in lines)
    throw unsupported(
      property,
      'devices.deny',
      `cgroup v1 cannot make an exception from an exception (${JSON.stringify(lines.refused)})`,
      'name the devices one by one, without wildcards',
    )
  return lines.map(({ file, value }) => writeOf(file, value, property))
}
