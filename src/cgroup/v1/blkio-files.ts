// SPDX-License-Identifier: Apache-2.0
// Files of the blkio controller on v1: cgroup-v1/blkio-controller.rst. CFQ's files, up to Linux 4.20, are blkio.<name>; BFQ's are
// blkio.bfq.<name>.

import type { Entries, FileEntry } from '../controllers/entry.ts'
import { io } from '../controllers/io.ts'

const limit = (unit: 'bytes' | 'count', meaning: string): FileEntry => ({
  access: 'read-write',
  format: 'flat-keyed',
  unit,
  noLimit: '0',
  accepts: `a device and a number, such as 8:0 ${unit === 'bytes' ? 1_048_576 : 120}; 0 removes the limit`,
  meaning,
  lines: 'device',
})

const byOperation = (unit: 'bytes' | 'count' | 'ns', meaning: string): FileEntry => ({
  access: 'read',
  format: 'device-operations',
  unit,
  meaning: `${meaning}, by device and kind of operation`,
  lines: 'device',
  keys: {
    Read: [unit, 'Reads'],
    Write: [unit, 'Writes'],
    Sync: [unit, 'Reads, and synchronous writes'],
    Async: [unit, 'Asynchronous writes'],
    Discard: [unit, 'Discards'],
    Total: [unit, 'All kinds together'],
  },
})

const byDevice = (unit: 'ms' | 'ns' | 'count', meaning: string): FileEntry => ({
  access: 'read',
  format: 'flat-keyed',
  unit,
  meaning: `${meaning}, by device`,
  lines: 'device',
})

const counters: Entries = {
  io_service_bytes: byOperation('bytes', 'What was read and written'),
  io_serviced: byOperation('count', 'Operations'),
  io_service_time: byOperation('ns', 'Time that operations took on the device'),
  io_wait_time: byOperation('ns', 'Time that operations waited for the device'),
  io_merged: byOperation('count', 'Merged operations'),
  io_queued: byOperation('count', 'Operations waiting now'),
  time: byDevice('ms', 'Device time used'),
  sectors: byDevice('count', 'Sectors moved'),
  avg_queue_size: byDevice('count', 'Average length of the queue'),
  group_wait_time: byDevice('ns', 'Time for which the group waited for the device'),
  idle_time: byDevice('ns', 'Time that the device was kept idle for the group'),
  empty_time: byDevice('ns', 'Time for which the group had no operation in its queue'),
  dequeue: byDevice('count', 'How often the group’s queue became empty'),
}

const weight = (smallest: number, meaning: string): FileEntry => ({
  access: 'read-write',
  format: 'count',
  unit: 'weight',
  range: [smallest, 1000],
  meaning,
})

const deviceWeight = (smallest: number, meaning: string): FileEntry => ({
  access: 'read-write',
  format: 'flat-keyed',
  unit: 'weight',
  range: [smallest, 1000],
  accepts: `a device and a weight from ${smallest} to 1000, such as 8:0 200`,
  meaning,
  lines: 'device',
  keys: { default: ['weight', 'Weight for devices without a line of their own'] },
})

const share = 'Share of a device’s time relative to sibling groups, when the device is contended'

/** Returns the entry of each counter, and of the file that sums it over descendants. */
const countersOf = (prefix: string): Entries =>
  Object.fromEntries(
    Object.entries(counters).flatMap(([name, entry]) => [
      [`blkio.${prefix}${name}`, entry],
      [`blkio.${prefix}${name}_recursive`, { ...entry, meaning: `Including descendants: ${entry.meaning}` }],
    ]),
  )

/** v1's file is the same as on v2 */
const { v1: _own, ...prioClass } = io['io.prio.class']

export const legacyBlkio: Entries = {
  ...countersOf(''),
  ...countersOf('bfq.'),
  ...countersOf('throttle.'),
  'blkio.throttle.read_bps_device': limit('bytes', 'Maximum number of bytes read per second, by device'),
  'blkio.throttle.write_bps_device': limit('bytes', 'Maximum number of bytes written per second, by device'),
  'blkio.throttle.read_iops_device': limit('count', 'Maximum number of read operations per second, by device'),
  'blkio.throttle.write_iops_device': limit('count', 'Maximum number of write operations per second, by device'),
  'blkio.weight': { ...weight(10, share), default: '500' },
  'blkio.weight_device': deviceWeight(10, `${share}, by device`),
  'blkio.leaf_weight': {
    ...weight(10, 'Share of a device’s time for the group’s own tasks relative to its children'),
    default: '500',
  },
  'blkio.leaf_weight_device': deviceWeight(10, 'Share of a device’s time for the group’s own tasks, by device'),
  'blkio.bfq.weight': { ...weight(1, share), root: 'never', default: '100' },
  'blkio.bfq.weight_device': { ...deviceWeight(1, `${share}, by device`), root: 'never' },
  'blkio.prio.class': prioClass,
  'blkio.reset_stats': { access: 'write', format: 'count', accepts: '0', meaning: 'Resets all counters of blkio' },
}
