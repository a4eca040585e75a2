// SPDX-License-Identifier: Apache-2.0
// Plans the systemd unit of a container. Called by plan-groups.ts.
import { readGroupFile } from '../../cgroup/files.ts'
import { simplifyDeviceRules } from '../../devices/ordered-rules.ts'
import type { Host } from '../../host/host.ts'
import { orderRules } from './device-rules.ts'
import type { LinuxResources } from './linux-resources.ts'
import type { UnitPlace } from './systemd-path.ts'
import { annotatedProperties, deviceProperties, limitProperties, type UnitProperty } from './unit-properties.ts'

/** The unit of a container before it is started. */
export interface PlannedUnit {
  name: string
  /** Properties of the unit, without its processes. */
  properties: UnitProperty[]
  /** Maximum number of tasks after the start; undefined without a limit. */
  tasks?: bigint
}

/** Returns which systemd creates the units of this user. */
export function managerOf({ uid }: Pick<Host, 'uid'>): 'system' | 'user' {
  return uid === 0 ? 'system' : 'user'
}

/** Returns the unit with all of its properties. Annotations come last, and so have precedence. @throws OPTION_INVALID */
export function planUnit(
  { unit, slice }: UnitPlace,
  resources: LinuxResources,
  id: string,
  annotations: { readonly [name: string]: string },
): PlannedUnit {
  const limits = limitProperties(resources)
  const tasks = limits.find(([name]) => name === 'TasksMax')?.[1][1] as bigint | undefined
  const isLimited = tasks !== undefined && tasks < 2n ** 63n
  const isSlice = unit.endsWith('.slice')
  const properties: UnitProperty[] = [
    ['Description', ['s', `container ${id}`]],
    isSlice ? ['Wants', ['as', [slice]]] : ['Slice', ['s', slice]],
    ...(isSlice ? [] : [['Delegate', ['b', true]] as UnitProperty]),
    ...['CPU', 'Memory', 'IO', 'Tasks'].map((name): UnitProperty => [`${name}Accounting`, ['b', true]]),
    ['DefaultDependencies', ['b', false]],
    ['CollectMode', ['s', 'inactive-or-failed']],
    ...limits.map((one): UnitProperty => (isLimited && one[0] === 'TasksMax' ? ['TasksMax', ['t', tasks + 1n]] : one)),
    ...deviceProperties(simplifyDeviceRules(orderRules(resources.devices ?? [])), readDrivers()),
    ...annotatedProperties(annotations),
  ]
  return { name: unit, properties, ...(isLimited && { tasks }) }
}

/** Reads the names of device drivers, such as `pts` for `char 136`. */
function readDrivers(): Map<string, string> {
  const drivers = new Map<string, string>()
  let type = ''
  for (const line of readGroupFile('/proc', 'devices')?.split('\n') ?? []) {
    if (/^Character/.test(line)) type = 'char'
    else if (/^Block/.test(line)) type = 'block'
    const [, major, name] = /^\s*(\d+) (.+)$/.exec(line) ?? []
    if (major !== undefined && name !== undefined && !drivers.has(`${type} ${major}`))
      drivers.set(`${type} ${major}`, name)
  }
  return drivers
}
