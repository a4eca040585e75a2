// SPDX-License-Identifier: Apache-2.0
// Compiles single mounts to operations. Called by root.ts and listed-root.ts; pure.
import { accessTimes, mountFlags, takesOver } from '../ops/mount-flags.ts'
import type { Op } from '../ops/ops.ts'
import { shareOp } from '../ops/wire.ts'
import type { Mount, MountPropagation, PropagationType, Root } from './root.ts'

/** Returns true if mounts that the host makes later can appear in the job. */
export function receivesMounts(root: Root | undefined): boolean {
  return root?.mounts.some(({ propagation = '' }) => propagation.endsWith('slave')) ?? false
}

export function setPropagation(propagation: MountPropagation, origin: string): Op {
  const recursive = Number(/^r/.test(propagation))
  const type = mountFlags[propagation.slice(recursive) as PropagationType]
  return { op: 'setPropagation', type, recursive, origin }
}

/** Returns the operations of a mount. The next mounts are private again. */
export function propagated(mount: Mount): Op[] {
  const { propagation, origin } = mount
  if (!propagation) return [mountOp(mount)]
  return [setPropagation(propagation, origin), mountOp(mount), setPropagation('rprivate', origin)]
}

/** The operations of frozen mounts: those of the sandbox preset and of a minimal /dev. */
const frozenOps = new WeakMap<Mount, Op>()

/** Returns the operation of a mount, without its propagation. */
export function mountOp(mount: Mount): Op {
  const known = frozenOps.get(mount)
  if (known) return known
  const op = makeMountOp(mount)
  if (Object.isFrozen(mount)) frozenOps.set(mount, shareOp(op))
  return op
}

function makeMountOp(mount: Mount): Op {
  const { type, source, target, data, origin } = mount
  const links = Number(mount.links !== false)
  // a change of the mount alone is not that of its whole tree
  const attributes = mount.top ? 0 : mount.flags
  // a mount with mapped ids was made outside the namespace, because only there can ids be mapped
  if (type === 'bind' && mount.idmap) return { op: 'attachSent', source, target, links, origin }
  if (type === 'bind') {
    const [absent, recursive] = [mount.absent ?? 0, mount.recursive ? 1 : 0]
    return {
      op: 'attachTree',
      source,
      target,
      attributes,
      absent,
      recursive,
      changes: changesOf(mount),
      links,
      origin,
    }
  }
  if (type === 'overlay') return { op: 'attachOverlay', ...overlayLayers(data), target, attributes, origin }
  return newFileSystemOp(mount)
}

/**
 * Returns the operation of a new file system. Its data is passed on as mount(8) takes it. `beneath` is one of the
 * numbers in takesOver.
 */
export function newFileSystemOp(mount: Mount, beneath: number = takesOver.nothing): Op {
  const { type, source, target, data: options, origin } = mount
  const [attributes, links] = [finalFlags(mount), Number(mount.links !== false)]
  return { op: 'attachNew', type, options, target, attributes, links, source, beneath, origin }
}

/**
 * Returns the changes of a mount's flags as numbers: those to set and to clear on the mount itself, then those on its
 * whole tree. Empty if `flags` on the whole tree are all.
 */
export function changesOf({ flags, top, clears = 0, below }: Mount): number[] {
  const whole = { sets: below?.sets ?? 0, clears: below?.clears ?? 0 }
  const changes = top
    ? [flags, clears, whole.sets, whole.clears]
    : [0, 0, ((flags * Number(clears !== 0)) | whole.sets) >>> 0, (clears | whole.clears) >>> 0]
  return changes.some((bits) => bits !== 0) ? changes : []
}

/** Returns the flags that a new mount has once all its changes are made. A new mount has no mounts below it. */
export function finalFlags({ flags, clears = 0, below }: Mount): number {
  return change(change(0, flags, clears), below?.sets ?? 0, below?.clears ?? 0)
}

function change(flags: number, sets: number, clears: number): number {
  const times = (sets | clears) & accessTimes ? accessTimes : 0
  return ((flags & ~(clears | times)) | sets) >>> 0
}

function overlayLayers(data: readonly string[]) {
  const values = (key: string) =>
    data.filter((option) => option.startsWith(`${key}=`)).map((option) => option.slice(key.length + 1))
  const [[upper = ''], [work = '']] = [values('upperdir'), values('workdir')]
  return { lower: values('lowerdir'), upper, work, drops: data.includes('volatile') ? 1 : 0 }
}

/** Returns a new file system whose target must not lead through a link of the image. */
export function fileSystem(type: string, target: string, data: string[], flags: number, origin: string): Mount {
  return { type, source: '', target, data, flags, origin, links: false }
}

/** Returns true for a target in file systems of the kernel, which an image must not be able to redirect by links. */
export function isKernelPath(target: string): boolean {
  return /^\/(proc|sys|dev)(\/|$)/.test(target)
}
