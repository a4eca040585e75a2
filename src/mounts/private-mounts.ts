// SPDX-License-Identifier: Apache-2.0
// Operations that separate the mounts inside from the host's. Pure.
import { mountFlags } from '../ops/mount-flags.ts'
import type { Op } from '../ops/ops.ts'

/**
 * Returns the operation that keeps mounts inside invisible outside, and the reverse (mount_namespaces(7), propagation). It must come first.
 */
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

/** Returns the operation that mounts the new pid namespace's /proc over the old one. */
export function privateProc(origin: string): Op {
  const flags = mountFlags.nosuid + mountFlags.nodev + mountFlags.noexec
  return { op: 'mount', source: 'proc', target: '/proc', type: 'proc', flags, data: '', origin }
}
