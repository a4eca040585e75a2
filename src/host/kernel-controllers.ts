// SPDX-License-Identifier: Apache-2.0
// The controllers that the kernel was built with, from /proc/cgroups: cgroups(7).
import { readFileSync } from 'node:fs'

/** One line of the file: hierarchy 0 is v2, or none. */
export interface KernelController {
  name: string
  hierarchy: number
  enabled: boolean
}

/** In the kernel's order; empty where the file is not there. */
export function readKernelControllers(): KernelController[] {
  try {
    return parseKernelControllers(readFileSync('/proc/cgroups', 'utf8'))
  } catch {
    return []
  }
}

/** From the file's text. */
export function parseKernelControllers(text: string): KernelController[] {
  return text
    .split('\n')
    .map((line) => line.split('\t'))
    .filter(([name, , , enabled]) => name && !name.startsWith('#') && enabled !== undefined)
    .map(([name, hierarchy, , enabled]) => ({ name: name!, hierarchy: Number(hierarchy), enabled: enabled === '1' }))
}
