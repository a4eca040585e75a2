// SPDX-License-Identifier: Apache-2.0
// The way of a user's process into a group of that user's: cgroup-v2.rst, "Delegation Containment".
import { commonGroup, readHost } from '../host/host.ts'
import { effectiveUser } from '../host/passwd.ts'
import { isWritable } from './failure.ts'
import { enterScopeTo, isSystemdMachine, isSystemdTree } from './scope.ts'
import { usualSlice } from './unit.ts'

/**
 * The kernel lets a user move a process, or clone one, only between groups whose common ancestor is the user's. A login session's
 * are not, a scope of the user's own systemd is: so, where that stands in the way to `directory`, this process enters one.
 * @throws SYSTEMD_*, CGROUP_REFUSED
 */
export async function approachGroup(directory: string): Promise<void> {
  if (effectiveUser() === 0 || !isSystemdMachine()) return
  const host = readHost()
  if (host.home !== undefined || !isSystemdTree(host) || !isWritable(`${directory}/cgroup.procs`)) return
  const { own, mount } = host.unified!
  const inReach = directory.startsWith(`${usualSlice(mount, host.uid).controllers}/`)
  if (inReach && !isWritable(`${commonGroup(own, directory)}/cgroup.procs`)) await enterScopeTo(`enter ${directory}`)
}
