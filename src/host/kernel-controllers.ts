// SPDX-License-Identifier: Apache-2.0
// Lists the controllers that the kernel was built with, from /proc/cgroups: cgroups(7).
import { readFileSync } from '../system/files.ts'

/** A controller in /proc/cgroups. Hierarchy 0 means that the controller is on v2, or not mounted. */
export interface KernelController {
  name: string
  hierarchy: number
  enabled: boolean
}

/** Returns the controllers of /proc/cgroups in the kernel's order. Returns an empty list if the file is missing. */
export function readKernelControllers(): KernelController[] {
  try {
    return parseKernelControllers(readFileSync('/proc/cgroups', 'utf8'))
  } catch {
    return []
  }
}

/** Parses the text of /proc/cgroups. */
export function parseKernelControllers(text: string): KernelController[] {
  return text
    .split('\n')
    .map((line) => line.split('\t'))
    .filter(([name, , , enabled]) => name && !name.startsWith('#') && enabled !== undefined)
    .map(([name, hierarchy, , enabled]) => ({ name: name!, hierarchy: Number(hierarchy), enabled: enabled === '1' }))
}
