// SPDX-License-Identifier: Apache-2.0
// Implements ../machine.ts without Node.
import { readFileSync } from './files.ts'
import { host } from './host.ts'

export function release(): string {
  return host.machine()[0]
}

export function totalmem(): number {
  return host.machine()[1]
}

/** Returns the memory that can be used without swapping, in bytes. */
export function freemem(): number {
  return Number(/^MemAvailable: *(\d+)/m.exec(readFileSync('/proc/meminfo', 'latin1'))?.[1] ?? 0) * 1024
}

export function availableParallelism(): number {
  return host.machine()[2]
}

export function uptime(): number {
  return host.machine()[4]
}

export function endianness(): 'LE' | 'BE' {
  return 'LE'
}
