// SPDX-License-Identifier: Apache-2.0
// Plans which devices the job may use, and how this is enforced. Called by plan.ts; pure.

import type { LegacyWrite } from '../cgroup/v1/translate.ts'
import { containedCapabilities, parseCapabilityMask } from '../credentials/capability.ts'
import { compileDeviceFilter, type DeviceRule, defaultDevices, formatDeviceRule } from '../devices/device-filter.ts'
import { fail } from '../errors/errors.ts'
import { mountAttributes } from '../ops/mount-flags.ts'
import { optionName } from '../options/names.ts'
import type { Spec } from '../options/spec.ts'
import type { Identity } from './credentials.ts'

/** Returns true if the job has its own /dev. It may then use only the devices in it. */
export function limitsDevices({ root }: Spec): boolean {
  return root !== undefined && (root.dev || root.directory !== undefined)
}

/**
 * Returns true if the list of allowed devices must be enforced by the kernel. It is not needed if no device file can be
 * created, no device file of the image works, and no capability bypasses this. CAP_MKNOD creates device files,
 * CAP_SYS_ADMIN removes nodev, CAP_DAC_READ_SEARCH opens files by handle. With any capability beyond the default ones,
 * the list is enforced.
 */
function takesList({ root, joins }: Spec, { capabilities }: Identity): boolean {
  const bounding = capabilities?.bounding
  if (root?.directory === undefined || root.devices.length > 0 || joins.length > 0 || bounding === undefined)
    return true
  if (root.mounts.some(({ flags }) => !(flags & mountAttributes.nodev))) return true
  return parseCapabilityMask(bounding.toString(16)).some((one) => !containedCapabilities.includes(one))
}

/**
 * Returns where and how the list of allowed devices is enforced. Returns nothing to write if it is not needed.
 *
 * @throws OPTION_CONFLICT
 */
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
  const all = [...defaultDevices, ...rules]
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
      ...defaultDevices.map((one) => write('devices.allow', formatDeviceRule(one))),
      ...rules.map((one, i) => write('devices.allow', formatDeviceRule(one), spec.root!.devices[i]!.origin)),
    ],
  }
}

/** Returns the option that requested the job's own /dev, as the user typed it. */
export function originOf({ root, frontend }: Spec): string {
  const key = root?.directory !== undefined ? 'rootfs' : 'dev'
  return root?.devices[0]?.origin ?? optionName(key, frontend)
}
