// SPDX-License-Identifier: Apache-2.0
// Exports the table of drop-ins by name: commands of hutch, and commands with their own names through links.

/** Loaded only when called: each is small. */
export const dropins: { readonly [name: string]: () => Promise<{ main(args: string[]): Promise<number> }> } = {
  cgcreate: () => import('./cgroup-tools/cgcreate.ts'),
  cgset: () => import('./cgroup-tools/cgset.ts'),
  cgget: () => import('./cgroup-tools/cgget.ts'),
  cgexec: () => import('./cgroup-tools/cgexec.ts'),
  cgclassify: () => import('./cgroup-tools/cgclassify.ts'),
  cgdelete: () => import('./cgroup-tools/cgdelete.ts'),
  lscgroup: () => import('./cgroup-tools/lscgroup.ts'),
  lssubsys: () => import('./cgroup-tools/lssubsys.ts'),
  cgsnapshot: () => import('./cgroup-tools/cgsnapshot.ts'),
  cgconfigparser: () => import('./cgroup-tools/cgconfigparser.ts'),
  cgxget: () => import('./cgroup-tools/cgxget.ts'),
  cgxset: () => import('./cgroup-tools/cgxset.ts'),
  unshare: () => import('./util-linux/unshare.ts'),
  nsenter: () => import('./util-linux/nsenter.ts'),
  lsns: () => import('./util-linux/lsns/lsns.ts'),
  bwrap: () => import('./bubblewrap/bwrap.ts'),
}
