// SPDX-License-Identifier: Apache-2.0
// Namespace kinds: one table for the name of unshare(1), the file in /proc/PID/ns and the clone flag; namespaces(7).

/** Kinds that can be asked for, with what each needs to be made. */
export const namespaces = {
  mount: { file: 'mnt', flag: 0x0002_0000, shell: '--mount' },
  cgroup: { file: 'cgroup', flag: 0x0200_0000, shell: '--cgroup' },
  uts: { file: 'uts', flag: 0x0400_0000, shell: '--uts' },
  ipc: { file: 'ipc', flag: 0x0800_0000, shell: '--ipc' },
  pid: { file: 'pid', flag: 0x2000_0000, shell: '--pid --fork' },
  net: { file: 'net', flag: 0x4000_0000, shell: '--net' },
  user: { file: 'user', flag: 0x1000_0000, shell: '--user' },
  time: { file: 'time', flag: 0x80, shell: '--time' },
} as const

/** What can be isolated, as unshare(1) names it. */
export type NamespaceKind = keyof typeof namespaces

/** All kinds, in the order in which they are shown. */
export const namespaceKinds = Object.keys(namespaces) as NamespaceKind[]

/** The files of /proc/PID/ns: what can be looked at is more than what can be asked for. */
export const namespaceFiles: readonly string[] = [
  ...new Set([...Object.values(namespaces).map(({ file }) => file), 'user', 'time']),
]

/** What a run with a root of its own isolates by default. */
export const defaultIsolation: readonly NamespaceKind[] = ['pid', 'mount', 'ipc', 'uts', 'cgroup']

/**
 * The namespaces of a run on the host's root by default. Run-time systems read their limits at /sys/fs/cgroup, by the path in
 * /proc/self/cgroup. In a cgroup namespace that path is /, which in the host's /sys/fs/cgroup means the host.
 */
export const hostRootIsolation: readonly NamespaceKind[] = defaultIsolation.filter((kind) => kind !== 'cgroup')

/** What `all` stands for: what others see of a process and it of them. user and time are requested by name, and user is added where it takes one. */
export const allKinds: readonly NamespaceKind[] = ['pid', 'mount', 'ipc', 'uts', 'net', 'cgroup']

/** The flags of clone3 for these kinds. */
export function cloneFlags(kinds: Iterable<NamespaceKind>): number {
  let flags = 0
  for (const kind of kinds) flags += namespaces[kind].flag
  return flags
}

/** The kinds in a set of flags, for messages. */
export function kindsIn(flags: number): NamespaceKind[] {
  return namespaceKinds.filter((kind) => (BigInt(flags) & BigInt(namespaces[kind].flag)) !== 0n)
}
