// SPDX-License-Identifier: Apache-2.0
// Lists the options that `--sandbox` sets, each with its reason, and the tables for them. Data only; in
// sandbox-option.ts, the caller's options override them.
import { reservedId } from '../namespaces/id-map.ts'
import type { MountOption } from './mount-options.ts'

type Value = string | number | boolean | readonly string[] | MountOption

/** Option, value and reason, in the order of the docs. `limits.memory` is the key `memory` in the option `limits`. */
export const sandboxPreset: readonly (readonly [option: string, value: Value, reason: string])[] = [
  // these options decide what the job can reach
  ['isolate', ['all', 'user'], 'no processes, mounts, queues, names, networks, groups or ids of the host'],
  ['network', 'none', 'only its own loopback'],
  ['hostname', 'sandbox', 'hides the name of the host'],
  ['readOnly', true, 'no changes outlive the job: only /tmp and writable volumes can be written'],
  ['mounts', { tmpfs: '/tmp:size=256M,nr_inodes=65536,exec' }, 'space to write files and to build programs'],
  ['dev', true, 'only harmless devices: no disks, no terminals of other users'],
  ['workdir', '/tmp', "the caller's directory does not exist inside"],
  ['env.HOME', '/tmp', "the caller's home does not exist inside"],
  // these options decide what the job may do
  ['capDrop', 'ALL', 'no rights, not even in its own namespaces'],
  ['newPrivileges', false, 'set-user-ID programs give no rights'],
  ['seccomp', 'strict', 'a smaller attack surface of the kernel'],
  // these options decide how many resources the job may use
  ['limits.memory', '1G', 'contains a memory bomb'],
  ['limits.swap', '0', 'keeps a memory bomb from filling the swap'],
  ['limits.pids', 512, 'contains a fork bomb'],
  ['limits.cpus', 1, 'one CPU; the other CPUs stay free'],
  ['timeout', '60s', 'ends a program that hangs'],
  ['maxOutput', '16M', 'for output that the library reads; streams given by the caller are not cut'],
  ['oomScoreAdj', 500, 'killed first if the host itself runs out of memory'],
  // limits of each process, which also apply if control groups cannot be used
  [
    'ulimits.core',
    1,
    'no core dumps; with 0 the kernel would still start a kernel.core_pattern pipe handler, with 1 it does not',
  ],
  ['ulimits.nofile', '1024:4096', 'contains a descriptor bomb'],
  ['ulimits.fsize', 1_073_741_824, 'limits each file in a volume to 1 GiB'],
  ['ulimits.nproc', 1024, 'contains a fork bomb, also without group limits'],
]

/** Host directories that are mounted read-only in the sandbox. Those missing on the host are left out. */
export const sandboxReads: readonly (readonly [directory: string, reason: string])[] = [
  ['/usr', 'programs and libraries'],
  ['/bin', 'programs, if /bin is not a link into /usr'],
  ['/sbin', 'the same'],
  ['/lib', 'the same'],
  ['/lib32', 'the same'],
  ['/lib64', 'the same'],
  ['/libx32', 'the same'],
  ['/etc', 'settings, certificates and user names; the command reads what its user may read'],
  ['/opt', 'self-contained programs'],
  ['/nix/store', 'programs on NixOS'],
]

/** Files below the host's /etc that contain the host's name. They are hidden unless the job has the host's name. */
export const sandboxHides: readonly string[] = ['/etc/hostname', '/etc/machine-id', '/etc/mailname']

/** The sandbox's own /etc/hosts: the path, and the text for a host name. */
export const sandboxHosts = {
  path: '/etc/hosts',
  text: (name: string) => `127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t${name}\n`,
} as const

/** Environment variables of the caller that the sandbox passes on. Other variables may contain keys and passwords. */
export const sandboxVariables: readonly string[] = ['PATH', 'LANG', 'LANGUAGE', 'TERM', 'TZ', 'NO_COLOR', 'COLORTERM']

/** Id map of sandboxes started by root: ids from 0 in the sandbox map to a range of host ids, reserved at each start. */
export const sandboxIds = { inside: 0, outside: reservedId, count: 65_536 } as const
