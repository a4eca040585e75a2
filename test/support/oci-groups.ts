// SPDX-License-Identifier: Apache-2.0
// The hierarchies of control groups in which a container has a group of its own.
import { readHost } from '../../src/host/host.ts'

/** Returns the mount points of all hierarchies. */
export function hierarchyMounts(): string[] {
  const host = readHost()
  return [...new Set([...Object.values(host.v1), ...(host.unified ? [host.unified] : [])].map(({ mount }) => mount))]
}
