// SPDX-License-Identifier: Apache-2.0
// Lists the kinds of namespaces: the name in unshare(1), the file in /proc/PID/ns and the clone flag. See
// namespaces(7). Pure.

/** A kind of namespace, by its name in unshare(1). */
export type NamespaceKind = 'mount' | 'cgroup' | 'uts' | 'ipc' | 'pid' | 'net' | 'user' | 'time'

/** Kinds of namespaces that a run can create. */
export const namespaces = {
  mount: { file: 'mnt', flag: 0x0002_0000, shell: '--mount' },
  cgroup: { file: 'cgroup', flag: 0x0200_0000, shell: '--cgroup' },
  uts: { file: 'uts', flag: 0x0400_0000, shell: '--uts' },
  ipc: { file: 'ipc', flag: 0x0800_0000, shell: '--ipc' },
  pid: { file: 'pid', flag: 0x2000_0000, shell: '--pid --fork' },
  net: { file: 'net', flag: 0x4000_0000, shell: '--net' },
  user: { file: 'user', flag: 0x1000_0000, shell: '--user' },
  time: { file: 'time', flag: 0x80, shell: '--time' },
} as const satisfies { [kind in NamespaceKind]: object }

/** All kinds of namespaces, in the order in which messages list them. */
export const namespaceKinds = Object.keys(namespaces) as NamespaceKind[]

/** The names of the files in /proc/PID/ns, including kinds that a run cannot create. */
export const namespaceFiles: readonly string[] = [
  ...new Set([...Object.values(namespaces).map(({ file }) => file), 'user', 'time']),
]

/** Kinds of namespaces that a run with its own root directory creates by default. */
export const defaultIsolation: readonly NamespaceKind[] = ['pid', 'mount', 'ipc', 'uts', 'cgroup']

/**
 * Kinds of namespaces that a run on the host's root directory creates by default: no cgroup namespace. Language
 * runtimes read their limits at /sys/fs/cgroup plus the path in /proc/self/cgroup. In a cgroup namespace that path is
 * /, which in the host's /sys/fs/cgroup is the group of the whole machine.
 */
export const hostRootIsolation: readonly NamespaceKind[] = defaultIsolation.filter((kind) => kind !== 'cgroup')

/**
 * The kinds of namespaces that the word `all` means. `user` and `time` must be named, but hutch adds `user` if the
 * other kinds need it.
 */
export const allKinds: readonly NamespaceKind[] = ['pid', 'mount', 'ipc', 'uts', 'net', 'cgroup']

/** Returns the clone3 flags for these kinds of namespaces. */
export function cloneFlags(kinds: Iterable<NamespaceKind>): number {
  let flags = 0
  for (const kind of kinds) flags += namespaces[kind].flag
  return flags
}

/** Returns the kinds of namespaces in a set of clone flags, for messages. */
export function kindsIn(flags: number): NamespaceKind[] {
  return namespaceKinds.filter((kind) => (BigInt(flags) & BigInt(namespaces[kind].flag)) !== 0n)
}
