// SPDX-License-Identifier: Apache-2.0
// Moves network devices of the host into the network namespace of a container: linux.netDevices.

import { fail } from '../../errors/errors.ts'
import { decodeRefusal } from '../../system/events.ts'
import { native } from '../../system/native.ts'
import type { OciLinux } from '../config/linux-table.ts'

/** The steps of native/node/net-device.c, in words that follow "cannot". */
const steps: { readonly [step: number]: (device: string, name: string) => string } = {
  1: (device) => `find the network device ${device}`,
  2: (device) => `enter the network namespace for the device ${device}`,
  3: (device) => `read the addresses of the network device ${device}`,
  4: (device, name) => `use the name ${name} for the network device ${device}`,
  5: (device, name) => `move the network device ${device} into the container as ${name}`,
  6: (device) => `give the network device ${device} its addresses in the container`,
  7: (device) => `set the network device ${device} up in the container`,
}

const remedies: { readonly [errno: string]: string } = {
  ENODEV: 'give the name of a device in this network namespace: ip link',
  EPERM: 'only root may move network devices: run as root',
  EINVAL: 'some devices, such as lo, cannot leave their network namespace: give another device',
  EEXIST: 'the container has a device of this name: give another one in linux.netDevices',
}

/** Moves the devices. A device that was moved before another one was refused stays in the container. @throws STEP_REFUSED */
export function moveNetDevices(devices: NonNullable<OciLinux['netDevices']>, pid: number): void {
  for (const [device, { name = '' }] of Object.entries(devices)) {
    const newName = name || device
    const status = native().moveDevice(device, pid, newName)
    if (status === 0) continue
    const { errno, part } = decodeRefusal(-status)
    throw fail('STEP_REFUSED', {
      what: steps[part]?.(device, newName) ?? `move the network device ${device}`,
      operation: 'netlink',
      origin: 'linux.netDevices',
      errno,
      remedy: remedies[errno] ?? 'check the device: ip -details link',
    })
  }
}
