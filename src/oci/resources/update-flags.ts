// SPDX-License-Identifier: Apache-2.0
// Converts the options of `update` to linux.resources. Pure.
import type { LinuxResources } from './linux-resources.ts'

/** Options of `update`, each with the property that it sets. */
const flags = {
  'blkio-weight': ['blockIO', 'weight'],
  'cpu-period': ['cpu', 'period'],
  'cpu-quota': ['cpu', 'quota'],
  'cpu-burst': ['cpu', 'burst'],
  'cpu-share': ['cpu', 'shares'],
  'cpu-rt-period': ['cpu', 'realtimePeriod'],
  'cpu-rt-runtime': ['cpu', 'realtimeRuntime'],
  'cpu-idle': ['cpu', 'idle'],
  'cpuset-cpus': ['cpu', 'cpus'],
  'cpuset-mems': ['cpu', 'mems'],
  memory: ['memory', 'limit'],
  'memory-reservation': ['memory', 'reservation'],
  'memory-swap': ['memory', 'swap'],
  'kernel-memory': ['memory', 'kernel'],
  'kernel-memory-tcp': ['memory', 'kernelTCP'],
  'pids-limit': ['pids', 'limit'],
} as const

/** Values of the options that were given. */
type UpdateFlags = { readonly [flag in keyof typeof flags]?: unknown }

/** Returns the resources that the given options name. */
export function resourcesOfFlags(given: UpdateFlags): LinuxResources {
  const resources: { [section: string]: { [property: string]: unknown } } = {}
  for (const [flag, [section, property]] of Object.entries(flags)) {
    const value = given[flag as keyof UpdateFlags]
    if (value !== undefined) resources[section] = { ...resources[section], [property]: value }
  }
  return resources
}
