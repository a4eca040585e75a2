// SPDX-License-Identifier: Apache-2.0
// What `--sandbox` closes: options of `hutch run`, each with its reason, and three lists beside them. Nothing here is computed.
// An option that the caller names replaces the value here; sandbox-option.ts does that.
import { reservedId } from '../sandbox/id-map.ts'
import type { MountOption } from './mounts.ts'

type Value = string | number | boolean | readonly string[] | MountOption

/** Option (`limits.memory` is `memory` in `limits`), value, reason. In the order in which a reader wants it. */
export const sandboxPreset: readonly (readonly [option: string, value: Value, reason: string])[] = [
  // what it can reach
  ['isolate', ['all', 'user'], 'no processes, mounts, queues, names, networks, groups or ids of the host'],
  ['network', 'none', 'nothing to talk to but itself'],
  ['hostname', 'sandbox', 'the name of the host is not told'],
  ['readOnly', true, 'nothing outlives it: all but /tmp and what is named is read-only'],
  ['mounts', { tmpfs: '/tmp:size=256M,nr_inodes=65536,exec' }, 'a place to write, and to build programs in'],
  ['dev', true, 'harmless devices alone: no disks, no terminals of others'],
  ['workdir', '/tmp', "the caller's directory is not there"],
  ['env.HOME', '/tmp', "the caller's home is not there"],
  // what it may do
  ['capDrop', 'ALL', 'no right over anything, not even in its own namespaces'],
  ['newPrivileges', false, 'set-user-ID programs give nothing'],
  ['seccomp', 'strict', 'a small part of the kernel to attack'],
  // how much of the machine it may take
  ['limits.memory', '1G', 'a memory bomb ends itself'],
  ['limits.swap', '0', '… and does not fill the swap instead'],
  ['limits.pids', 512, 'a fork bomb stops'],
  ['limits.cpus', 1, 'one CPU, so that the others stay free'],
  ['timeout', '60s', 'nothing runs for ever'],
  ['maxOutput', '16M', 'of what the library reads; streams that the caller gives it are not cut'],
  ['oomScoreAdj', 500, 'if the host itself runs out of memory, this goes first'],
  // of each process; these hold also where limits of groups do not
  [
    'ulimits.core',
    1,
    'no dumps of its memory; 0 would still run a handler that kernel.core_pattern pipes to, 1 does not',
  ],
  ['ulimits.nofile', '1024:4096', 'a descriptor bomb stops'],
  ['ulimits.fsize', 1_073_741_824, 'no file in a volume grows beyond 1 GiB'],
  ['ulimits.nproc', 1024, 'a fork bomb stops, also without limits of groups'],
]

/** All of the host's files that are there, read-only; what the host lacks is left out. */
export const sandboxReads: readonly (readonly [directory: string, reason: string])[] = [
  ['/usr', 'programs and libraries'],
  ['/bin', 'the same, where it is not a part of /usr'],
  ['/sbin', 'the same'],
  ['/lib', 'the same'],
  ['/lib32', 'the same'],
  ['/lib64', 'the same'],
  ['/libx32', 'the same'],
  ['/etc', 'their settings, certificates, users by name: what its user may read there, it can read'],
  ['/opt', 'programs that are packed by themselves'],
  ['/nix/store', 'programs on NixOS'],
]

/** Files of the host's /etc that name it, hidden as long as its name is not told. */
export const sandboxHides: readonly string[] = ['/etc/hostname', '/etc/machine-id', '/etc/mailname']

/** Its own list of names instead of the host's: path, and text for a host name. */
export const sandboxHosts = {
  path: '/etc/hosts',
  text: (name: string) => `127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t${name}\n`,
} as const

/** Variables of the caller that it keeps: others carry keys and passwords. */
export const sandboxVariables: readonly string[] = ['PATH', 'LANG', 'LANGUAGE', 'TERM', 'TZ', 'NO_COLOR', 'COLORTERM']

/** Root's sandboxes: users from 0 inside are ids outside that each start reserves for itself. */
export const sandboxIds = { inside: 0, outside: reservedId, count: 65_536 } as const
