// SPDX-License-Identifier: Apache-2.0
// Attempts by files: the kernel's own, devices, and rights that files give. What is opened is not written.
import type { Attempt } from './attempt.ts'

const nodes = { capAdd: ['MKNOD'], mounts: [{ tmpfs: '/data:dev' }] }

export const files: Attempt[] = [
  {
    what: 'a program for core dumps of the host (core_pattern)',
    words: 'write /proc/sys/kernel/core_pattern',
    control: 'outside',
  },
  {
    what: 'the program that loads modules',
    words: 'write /proc/sys/kernel/modprobe',
    control: 'outside',
    absent: 'ENOENT',
  },
  { what: 'binary formats of the machine', words: 'write /proc/sys/fs/file-max', control: 'outside' },
  {
    what: 'a letter to sysrq (CVE-2025-31133, after its race)',
    words: 'write /proc/sysrq-trigger',
    control: 'outside',
    absent: 'ENOENT',
  },
  { what: "the machine's memory (kcore)", words: 'read /proc/kcore', control: 'outside', absent: 'ENOENT' },
  { what: 'keys of all users', words: 'read /proc/keys', control: 'outside' },
  { what: 'timers of all processes', words: 'read /proc/timer_list', control: 'outside', absent: 'ENOENT' },
  { what: 'interrupts, and keystrokes with them', words: 'read /proc/interrupts', control: 'outside' },
  {
    what: 'interrupts moved between processors',
    words: 'write /proc/irq/default_smp_affinity',
    control: 'outside',
    absent: 'ENOENT',
  },
  { what: 'a setting of /sys (uevent_helper and its like)', words: 'write $sysFile', control: 'outside' },
  { what: 'the release_agent or the groups of the host', words: 'write $groupFile', control: 'outside' },
  {
    what: "the kernel's messages by their device",
    words: 'node c 1 11 /data/kmsg',
    control: { outside: 'node c 1 11 $shared-kmsg' },
  },
  {
    what: 'a node of the memory (/dev/mem)',
    words: 'node c 1 1 /data/mem',
    control: { loosened: nodes, words: 'node c 1 3 /data/mem' },
  },
  {
    what: "a node of the host's disk",
    words: 'node b $disk /data/disk',
    control: { outside: 'node b $disk $shared-disk' },
  },
  {
    what: "a node of the host's disk, with CAP_MKNOD",
    words: 'node b $disk /data/disk',
    options: nodes,
    control: { outside: 'node b $disk $shared-disk' },
  },
  { what: 'the node of the disk in /dev', words: 'read /dev/kmsg', control: { outside: 'find /dev/kmsg' } },
  { what: 'a file of the host by its path', words: 'find $secret', control: 'outside' },
  { what: 'a set-user-ID program', words: 'setuid /bin/root-attempt', control: { loosened: { newPrivileges: true } } },
  {
    what: 'a capability that all programs then have (ambient)',
    words: 'ambient 21',
    control: { loosened: { user: 'nobody', capAdd: ['SYS_ADMIN'] } },
  },
  {
    what: 'a limit raised again (rlimit)',
    words: 'raise 8',
    options: { ulimits: { memlock: 65_536 } },
    control: 'outside',
    absent: 'EPERM',
  },
]
