// SPDX-License-Identifier: Apache-2.0
// Files of the dmem controller, for the memory of devices such as GPUs: cgroup-v2.rst, "DMEM Interface Files".
import type { Entries } from './entry.ts'

const accepts = 'a region and bytes, such as drm/0000:03:00.0/vram0 1073741824, or max'

const limit = (initial: string, meaning: string) =>
  ({
    access: 'read-write',
    root: 'never',
    format: 'flat-keyed',
    unit: 'bytes',
    since: '6.14',
    default: initial,
    accepts,
    meaning,
    lines: 'region',
  }) as const

const figure = (meaning: string, since = '6.14') =>
  ({ access: 'read', root: 'never', format: 'flat-keyed', unit: 'bytes', since, meaning, lines: 'region' }) as const

export const dmem = {
  'dmem.max': limit('max', 'Device memory the group may use, by region'),
  'dmem.low': limit('0', 'Device memory that is reclaimed only if no other group has unprotected device memory'),
  'dmem.min': limit('0', 'Device memory that is never reclaimed from the group'),
  'dmem.current': figure('Device memory in use, by region'),
  'dmem.peak': figure('Peak device memory use, by region', '7.2'),
  'dmem.capacity': { ...figure('Total device memory, by region'), root: 'only' },
} satisfies Entries
