// SPDX-License-Identifier: Apache-2.0
// Attempts on the job's own control groups, which it sees read-only at /sys/fs/cgroup; and on those above them.
import { mkdirSync, rmdirSync } from 'node:fs'
import { readHost } from '../../src/host/host.ts'
import type { Attempt, Control, Ground } from './attempt.ts'

const admin = (words?: string): Control => ({ loosened: { capAdd: ['SYS_ADMIN'] }, ...(words && { words }) })

/** Makes a group that the controls may write to. */
export function groundForGroups(): Ground {
  const { v1, unified } = readHost()
  const mount = v1.pids?.mount ?? unified!.mount
  const testGroup = `${mount}/hutch-test-${process.pid}-escape`
  mkdirSync(testGroup)
  return {
    testGroup,
    testFile: v1.pids ? 'pids.max' : 'cgroup.max.descendants',
    ownGroups: v1.pids ? '/sys/fs/cgroup/pids' : '/sys/fs/cgroup',
  }
}

export function removeGroundForGroups({ testGroup }: Ground): void {
  if (testGroup) rmdirSync(testGroup)
}

export const cgroups: Attempt[] = [
  {
    what: "the job's own limit raised at /sys/fs/cgroup",
    words: 'group-write $ownGroups/pids.max 2000',
    control: { outside: 'group-write $testGroup/$testFile 2000' },
  },
  {
    what: 'a process moved by cgroup.procs of /sys/fs/cgroup',
    words: 'group-write $ownGroups/cgroup.procs 0',
    control: { outside: 'group-write $testGroup/cgroup.procs 0' },
  },
  {
    what: "the job's own limit raised by /proc/1/root",
    words: 'group-write /proc/1/root$ownGroups/pids.max 2000',
    control: { outside: 'group-write /proc/$victim/root$testGroup/$testFile 2000' },
  },
  {
    what: "the job's own limit raised by the handle of its file",
    words: 'group-handle $ownGroups pids.max 2000',
    control: { outside: 'group-handle $testGroup $testFile 2000' },
  },
  {
    what: 'a group made at /sys/fs/cgroup',
    words: 'group-make $ownGroups/below',
    control: { outside: 'group-make $testGroup/below' },
  },
  {
    what: "the mode of a group's file",
    words: 'group-mode $ownGroups/cgroup.procs',
    control: { outside: 'group-mode $testGroup/cgroup.procs' },
  },
  {
    what: "the owner of a group's file",
    words: 'group-owner $ownGroups/cgroup.procs',
    control: { outside: 'group-owner $testGroup/cgroup.procs' },
  },
  {
    what: 'an attribute of a group',
    words: 'group-attribute $ownGroups',
    control: { outside: 'group-attribute $testGroup' },
  },
  { what: '/sys/fs/cgroup made writable', words: 'remount $ownGroups', control: admin() },
  { what: '/sys/fs/cgroup covered', words: 'bind /tmp $ownGroups', control: admin() },
  { what: '/sys/fs/cgroup taken off', words: 'umount $ownGroups', control: admin() },
  { what: '/sys/fs/cgroup made writable (mount_setattr)', words: 'mount-setattr $ownGroups', control: admin() },
  { what: 'a writable copy of /sys/fs/cgroup (open_tree)', words: 'group-copy $ownGroups', control: admin() },
  { what: 'cgroup2 as a mount at no path (fsmount)', words: 'group-tree', control: 'outside' },
  {
    what: '/sys/fs/cgroup made writable, as root of a user namespace',
    words: 'inner-remount $ownGroups',
    control: admin('remount $ownGroups'),
  },
]
