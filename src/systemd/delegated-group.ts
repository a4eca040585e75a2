// SPDX-License-Identifier: Apache-2.0
// Moves a user's process to a group from which it can enter groups of that user. See cgroup-v2.rst, "Delegation
// Containment".
import { commonGroup, readHost } from '../host/host.ts'
import { effectiveUser } from '../host/passwd.ts'
import { isWritable } from './failure.ts'
import { enterScopeTo, isSystemdMachine, isSystemdTree } from './scope.ts'
import { defaultSlice } from './unit.ts'

/**
 * Moves this process into a scope of the user's systemd, if only then it can enter `directory`. A user may move or
 * clone a process only between groups with a common ancestor that the user owns. A login session's group has no such
 * ancestor.
 *
 * @throws SYSTEMD_*, CGROUP_REFUSED
 */
export async function approachGroup(directory: string): Promise<void> {
  if (effectiveUser() === 0 || !isSystemdMachine()) return
  const host = readHost()
  if (host.home !== undefined || !isSystemdTree(host) || !isWritable(`${directory}/cgroup.procs`)) return
  const { own, mount } = host.unified!
  const inReach = directory.startsWith(`${defaultSlice(mount, host.uid).controllers}/`)
  if (inReach && !isWritable(`${commonGroup(own, directory)}/cgroup.procs`)) await enterScopeTo(`enter ${directory}`)
}
