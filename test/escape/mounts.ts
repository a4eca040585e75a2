// SPDX-License-Identifier: Apache-2.0
// Attempts with namespaces, mounts and roots. Swapped links while mounts are made (CVE-2021-30465, CVE-2023-27561,
// CVE-2025-31133, CVE-2025-52565, CVE-2025-52881) are raced in test/kernel/mounts/root-attacked.test.ts; here is what is left of them after the start.
import type { Attempt, Control } from './attempt.ts'

const admin: Control = { loosened: { capAdd: ['SYS_ADMIN'] } }
const userNamespace =
  'user namespaces take no capability: only a filter refuses them. What they give is tried in the rows below'
const tellsNumber =
  'it tells a number, and opening by it is refused; it takes no capability, and the default filter allows it, as those of others do'

const unshared: [string, string][] = [
  ['20000', 'mounts'],
  ['2000000', 'cgroups'],
  ['4000000', 'host names'],
  ['8000000', 'IPC'],
  ['20000000', 'processes'],
  ['40000000', 'networks'],
  ['80', 'clocks'],
]

export const mounts: Attempt[] = [
  ...unshared.map(
    ([flag, kind]): Attempt => ({
      what: `a namespace of ${kind} inside`,
      words: `unshare ${flag}`,
      control: 'outside',
    }),
  ),
  { what: 'a namespace of mounts inside, by clone3', words: 'clone3 20000', control: 'outside' },
  {
    what: 'a user namespace inside',
    words: 'unshare 10000000',
    control: 'outside',
    open: { unfiltered: userNamespace },
  },
  {
    what: 'a user namespace inside, by clone3 (CVE-2022-0185 begins so)',
    words: 'clone3 10000000',
    control: 'outside',
    open: { unfiltered: userNamespace },
  },
  { what: "the host's mounts, by PID 1", words: 'setns 1 mnt', control: { outside: 'setns $victim mnt' } },
  { what: "the host's processes, by PID 1", words: 'setns 1 pid', control: { outside: 'setns $victim pid' } },
  { what: "the host's network, by PID 1", words: 'setns 1 net', control: { outside: 'setns $victim net' } },
  { what: 'namespaces of a process of the host', words: 'setns $victim mnt', control: 'outside' },
  { what: 'a tmpfs mounted', words: 'mount tmpfs', control: 'outside' },
  { what: 'a /proc without covers mounted', words: 'mount proc', control: 'outside' },
  { what: 'a /sys that can be written mounted', words: 'mount sysfs', control: 'outside' },
  { what: "the machine's devices mounted (devtmpfs)", words: 'mount devtmpfs', control: 'outside' },
  { what: "the kernel's tracing mounted", words: 'mount tracefs', control: 'outside' },
  { what: 'cgroups mounted, for a release_agent (CVE-2022-0492)', words: 'mount $groups', control: 'outside' },
  { what: 'the cover of /proc/interrupts taken off', words: 'umount /proc/interrupts', control: admin },
  { what: '/proc itself taken off', words: 'umount /proc', control: admin },
  { what: '/proc/sys made writable', words: 'remount /proc/sys', control: admin },
  { what: '/sys made writable', words: 'remount /sys', control: admin },
  { what: '/proc covered, for writes that go elsewhere (CVE-2019-16884)', words: 'bind /tmp /proc', control: admin },
  { what: 'a device laid over another (bind)', words: 'bind /dev/zero /dev/null', control: admin },
  { what: 'another root (pivot_root)', words: 'pivot-root', control: 'outside' },
  { what: 'a file system without a mount (fsopen; CVE-2022-0185)', words: 'fsopen', control: 'outside' },
  { what: 'a detached tree of /proc (open_tree)', words: 'open-tree', control: 'outside' },
  { what: 'a mount moved (move_mount)', words: 'move-mount', control: 'outside' },
  { what: "a mount's flags changed (mount_setattr)", words: 'mount-setattr /proc', control: admin },
  {
    what: 'up and out through a second chroot',
    words: 'chroot $secret',
    control: 'chrooted',
  },
  {
    what: 'a working directory or descriptor that was left open (CVE-2016-9962, CVE-2024-21626)',
    words: 'descriptors $secret',
    control: 'chrooted',
  },
  { what: 'a file of the host by its handle (shocker, CVE-2014-6407)', words: 'handle', control: 'outside' },
  {
    what: 'the handle of a file',
    words: 'handle-name /bin/attempt',
    control: { outside: 'handle-name /bin/sh' },
    open: { rootfs: tellsNumber, unfiltered: tellsNumber },
  },
  {
    what: 'the cover of /proc/interrupts taken off, as root of a user namespace',
    words: 'inner-umount /proc/interrupts',
    control: { loosened: { capAdd: ['SYS_ADMIN'] }, words: 'umount /proc/interrupts' },
  },
  {
    what: '/proc/sys made writable, as root of a user namespace',
    words: 'inner-remount /proc/sys',
    control: { loosened: { capAdd: ['SYS_ADMIN'] }, words: 'remount /proc/sys' },
  },
  { what: 'a /proc without covers, of a user namespace', words: 'inner-proc', control: 'outside' },
  { what: 'a writable /sys, of a user namespace', words: 'inner-sys', control: 'outside' },
  {
    what: '/dev/mem made in a tmpfs of a user namespace',
    words: 'inner-node',
    control: { loosened: { capAdd: ['MKNOD'], mounts: [{ tmpfs: '/data:dev' }] }, words: 'node c 1 3 /data/node' },
  },
  {
    what: "the job's own limit raised through cgroups of a user namespace",
    words: 'inner-raise $groupType',
    options: { limits: { pids: 50 } },
    control: { loosened: { seccomp: 'none' } },
    open: {
      unfiltered:
        'the limits are at the group that the cgroup namespace begins with, and its files belong to root: only a filter or a user namespace around it refuses it',
    },
  },
]
