// SPDX-License-Identifier: Apache-2.0
// The table of drop-ins by name. Each is a command of hutch, and has its own name through a link.

/** Drop-in commands by name. Each is loaded only when it is called. */
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
  'hutch-oci': () => import('../oci/main.ts'),
}
