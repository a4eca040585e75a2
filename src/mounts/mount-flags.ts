// SPDX-License-Identifier: Apache-2.0
// Mount operations; flags as mount(2) numbers them.
import type { Op } from '../ops/ops.ts'

export const mountFlags = {
  nosuid: 0x2,
  nodev: 0x4,
  noexec: 0x8,
  rec: 0x4000,
  private: 0x4_0000,
} as const

/** Mounts inside are not visible outside, and vice versa (mount_namespaces(7), propagation). Goes first. */
export function privatePropagation(origin: string): Op {
  return {
    op: 'mount',
    source: '',
    target: '/',
    type: '',
    flags: mountFlags.rec + mountFlags.private,
    data: '',
    origin,
  }
}

/** A /proc of the new pid namespace over the old one. */
export function privateProc(origin: string): Op {
  const flags = mountFlags.nosuid + mountFlags.nodev + mountFlags.noexec
  return { op: 'mount', source: 'proc', target: '/proc', type: 'proc', flags, data: '', origin }
}
