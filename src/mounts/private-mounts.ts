// SPDX-License-Identifier: Apache-2.0
// Returns the operations that separate a job's mounts from the host's. Pure.
import { mountFlags } from '../ops/mount-flags.ts'
import type { Op } from '../ops/ops.ts'
import { holdShared } from './listed-root.ts'
import { receivesMounts } from './mount-ops.ts'
import type { Root } from './root.ts'

/**
 * Returns the operation that stops mount events between the job and the host, in both directions (mount_namespaces(7),
 * propagation). With `receives`, mounts of the host still reach the job. It must be the first mount operation.
 */
function privatePropagation(origin: string, receives = false): Op {
  return {
    op: 'mount',
    source: '',
    target: '/',
    type: '',
    flags: mountFlags.rec + (receives ? mountFlags.slave : mountFlags.private),
    data: '',
    origin,
  }
}

/**
 * Returns the operations that separate the mounts of a job with this root from the host's, except those that the root
 * shares with it.
 */
export function separateMounts(origin: string, root: Root | undefined): Op[] {
  return [...holdShared(root), privatePropagation(origin, receivesMounts(root))]
}

/** Returns the operation that mounts a /proc for the new pid namespace over the host's /proc. */
export function privateProc(origin: string): Op {
  const flags = mountFlags.nosuid + mountFlags.nodev + mountFlags.noexec
  return { op: 'mount', source: 'proc', target: '/proc', type: 'proc', flags, data: '', origin }
}
