// SPDX-License-Identifier: Apache-2.0
// Compiles masked and read-only paths to operations. Called by root.ts and listed-root.ts; pure.
import type { Op } from '../ops/ops.ts'
import { shareOp } from '../ops/wire.ts'
import { isBelow } from '../text/paths.ts'
import { defaultMaskedPaths, defaultReadonlyPaths } from './masked-paths.ts'
import type { MaskedPath, Mount, Root } from './root.ts'

/** Returns true for a mount of the kernel's files, in which the image has no links. */
function isKernelMount({ type, target }: Mount): boolean {
  return type === 'proc' || type === 'sysfs' || (type === 'bind' && target === '/sys')
}

export function isMountedBy(root: Root, path: string): boolean {
  return root.mounts.some((mount) => isKernelMount(mount) && isBelow(path, mount.target))
}

/** Returns the operations that mask paths in a mount. In a new file system the paths are relative to it, which is faster. */
export function masksIn(root: Root, mount: Mount): Op[] {
  if (!isKernelMount(mount)) return []
  const { target } = mount
  const cover = (list: readonly MaskedPath[], readOnly: number) =>
    list.filter(({ path }) => path !== target && isBelow(path, target)).map((entry) => coverOp(entry, mount, readOnly))
  return [...cover(root.readonlyPaths ?? defaultReadonlyPaths, 1), ...cover(root.maskedPaths ?? defaultMaskedPaths, 0)]
}

/** The last operation for each masked path. Most roots mask the same default paths in the same way. */
const coverOps = new WeakMap<MaskedPath, { from: string; op: Op }>()

function coverOp(entry: MaskedPath, { type, target, origin: mounts }: Mount, readOnly: number): Op {
  const { path, origin = mounts } = entry
  const from = `${type} ${target} ${readOnly} ${origin}`
  const known = coverOps.get(entry)
  if (known?.from === from) return known.op
  const inside = type === 'bind' ? path : path.slice(target.length + 1)
  const op = shareOp({ op: 'coverPath', path: inside, readOnly, origin })
  coverOps.set(entry, { from, op })
  return op
}

/** Returns the operations that mask the paths for which `which` is true. */
export function otherMasks(root: Root, which: (path: string) => boolean): Op[] {
  const cover = (list: readonly MaskedPath[] | undefined, readOnly: number) =>
    (list ?? [])
      .filter(({ path }) => which(path))
      .map(({ path, origin = 'rootfs' }): Op => ({ op: 'coverPath', path, readOnly, origin }))
  return [...cover(root.readonlyPaths, 1), ...cover(root.maskedPaths, 0)]
}
