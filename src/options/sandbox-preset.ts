// SPDX-License-Identifier: Apache-2.0
// What `--sandbox` closes: options of `hutch run`, each with its reason, and three lists beside them. Nothing here is computed.
// An option that the caller names replaces the value here; sandbox-option.ts does that.
import { reservedId } from '../namespaces/id-map.ts'
import type { MountOption } from './mount-options.ts'

type Value = string | number | boolean | readonly string[] | MountOption

/** Option (`limits.memory` is `memory` in `limits`), value, reason. In the order in which a reader wants it. */
export const sandboxPreset: readonly (readonly [option: string, value: Value, reason: string])[] = [
  // what it can reach
  ['isolate', ['all', 'user'], 'no processes, mounts, queues, names, networks, groups or ids of the host'],
  ['network', 'none', 'only its own loopback'],
  ['hostname', 'sandbox', 'hides the name of the host'],
  ['readOnly', true, 'no changes outlive the job: only /tmp and writable volumes can be written'],
  ['mounts', { tmpfs: '/tmp:size=256M,nr_inodes=65536,exec' }, 'space to write files and to build programs'],
  ['dev', true, 'only harmless devices: no disks, no terminals of others'],
  ['workdir', '/tmp', "the caller's directory does not exist inside"],
  ['env.HOME', '/tmp', "the caller's home does not exist inside"],
  // what it may do
  ['capDrop', 'ALL', 'no rights, not even in its own namespaces'],
  ['newPrivileges', false, 'set-user-ID programs give no rights'],
  ['seccomp', 'strict', 'a smaller attack surface of the kernel'],
  // how much of the machine it may take
  ['limits.memory', '1G', 'contains a memory bomb'],
  ['limits.swap', '0', 'keeps a memory bomb from filling the swap'],
  ['limits.pids', 512, 'contains a fork bomb'],
  ['limits.cpus', 1, 'one CPU; the others stay free'],
  ['timeout', '60s', 'ends a program that hangs'],
  ['maxOutput', '16M', 'for output that the library reads; streams given by the caller are not cut'],
  ['oomScoreAdj', 500, 'killed first if the host itself runs out of memory'],
  // of each process; these hold also where limits of groups do not
  [
    'ulimits.core',
    1,
    'no core dumps; with 0 the kernel would still start a kernel.core_pattern pipe handler, with 1 it does not',
  ],
  ['ulimits.nofile', '1024:4096', 'contains a descriptor bomb'],
  ['ulimits.fsize', 1_073_741_824, 'limits each file in a volume to 1 GiB'],
  ['ulimits.nproc', 1024, 'contains a fork bomb, also without group limits'],
]

/** All of the host's files that are there, read-only; what the host lacks is left out. */
export const sandboxReads: readonly (readonly [directory: string, reason: string])[] = [
  ['/usr', 'programs and libraries'],
  ['/bin', 'the same, if it is not a part of /usr'],
  ['/sbin', 'the same'],
  ['/lib', 'the same'],
  ['/lib32', 'the same'],
  ['/lib64', 'the same'],
  ['/libx32', 'the same'],
  ['/etc', 'settings, certificates and user names; the command reads what its user may read'],
  ['/opt', 'self-contained programs'],
  ['/nix/store', 'programs on NixOS'],
]

/** Files in the host's /etc that contain its name; hidden unless the job has the host's name. */
export const sandboxHides: readonly string[] = ['/etc/hostname', '/etc/machine-id', '/etc/mailname']

/** Its own list of names instead of the host's: path, and text for a host name. */
export const sandboxHosts = {
  path: '/etc/hosts',
  text: (name: string) => `127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t${name}\n`,
} as const

/** The caller's variables that the sandbox keeps; others may contain keys and passwords. */
export const sandboxVariables: readonly string[] = ['PATH', 'LANG', 'LANGUAGE', 'TERM', 'TZ', 'NO_COLOR', 'COLORTERM']

/** Root's sandboxes: users from 0 inside are ids outside that each start reserves for itself. */
export const sandboxIds = { inside: 0, outside: reservedId, count: 65_536 } as const
