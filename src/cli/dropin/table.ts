// SPDX-License-Identifier: Apache-2.0
// The drop-ins by name: as commands of hutch, and under their own names through links.

/** Loaded only when called: each is small. */
export const dropins: { readonly [name: string]: () => Promise<{ main(args: string[]): Promise<number> }> } = {
  cgcreate: () => import('./cgcreate.ts'),
  cgset: () => import('./cgset.ts'),
  cgget: () => import('./cgget.ts'),
  cgexec: () => import('./cgexec.ts'),
  cgclassify: () => import('./cgclassify.ts'),
  cgdelete: () => import('./cgdelete.ts'),
  lscgroup: () => import('./lscgroup.ts'),
  lssubsys: () => import('./lssubsys.ts'),
  cgsnapshot: () => import('./cgsnapshot.ts'),
  cgconfigparser: () => import('./cgconfigparser.ts'),
  cgxget: () => import('./cgxget.ts'),
  cgxset: () => import('./cgxset.ts'),
  unshare: () => import('./unshare.ts'),
  nsenter: () => import('./nsenter.ts'),
  lsns: () => import('./lsns/lsns.ts'),
  bwrap: () => import('./bwrap.ts'),
}
