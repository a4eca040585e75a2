// SPDX-License-Identifier: Apache-2.0
// The words of limits: `memory` for memory.max. One vocabulary for jobs and groups. Types only.

import type { FileValues } from '../cgroup/file-values.ts'
import type { Limit } from '../text/units.ts'

/** Limits under Docker's names, and any other kernel file under its own name, such as `'memory.high'`. Absent means no limit. */
export interface Limits {
  /** memory.max, in bytes or as text such as `'50M'`. */
  memory?: number | string
  /** memory.high, in bytes or as text. Above this size the kernel throttles the group and reclaims its memory. */
  memoryHigh?: number | string
  /** memory.low, in bytes or as text: memory that the kernel reclaims only if it finds no other. */
  memoryLow?: number | string
  /** memory.min, in bytes or as text: memory that the kernel never reclaims. */
  memoryMin?: number | string
  /** memory.swap.max, in bytes or as text: swap alone, without memory. */
  swap?: number | string
  /** memory.oom.group: true if an out-of-memory kill ends the whole group. False by default. */
  oomGroup?: boolean
  /** pids.max: maximum number of tasks (processes and threads), including hutch's PID 1. */
  pids?: number | string
  /** cpu.max as a number of CPUs, such as 0.5. */
  cpus?: number | string
  /** cpu.weight: 1 to 10000; 100 by default. */
  cpuWeight?: number | string
  /** cpuset.cpus: allowed CPUs, such as `'0-1'`. */
  cpusetCpus?: string
  /** io.max: rates of block devices by path or number, such as `'/dev/sda:rbps=1M,wiops=100'`. */
  ioMax?: string | readonly string[]
  /** Any other kernel file, with a value as `Cgroup.set` accepts: `'40M'`, or `{ '8:0': { rbps: '1M' } }` for io.max. */
  [file: `${string}.${string}`]: number | string | boolean | object
}

/** Types of the limits' values by name in `Limits`, as `Cgroup.get` returns them. */
export interface LimitValues {
  /** memory.max, in bytes. */
  memory: Limit
  /** memory.high, in bytes. */
  memoryHigh: Limit
  /** memory.low, in bytes. */
  memoryLow: Limit
  /** memory.min, in bytes. */
  memoryMin: Limit
  /** memory.swap.max, in bytes. */
  swap: Limit
  /** memory.oom.group: true if an out-of-memory kill ends the whole group. */
  oomGroup: boolean
  /** pids.max: number of tasks. */
  pids: Limit
  /** Limit of CPU time as a number of CPUs, such as 0.5. */
  cpus: Limit
  /** cpu.weight: 1 to 10000. */
  cpuWeight: number
  /** cpuset.cpus: numbers of the allowed CPUs. */
  cpusetCpus: number[]
  /** io.max: limits by device and name, in bytes and operations per second. */
  ioMax: FileValues['io.max']
}
