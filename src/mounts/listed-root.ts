// SPDX-License-Identifier: Apache-2.0
// Compiles a root whose list of mounts is complete, as that of an OCI container. Mounts are made in their order, then
// device files, links and masked paths. Called by root.ts; pure.
import type { NamespaceKind } from '../namespaces/namespace.ts'
import { makesPoints, mountAttributes, mountFlags } from '../ops/mount-flags.ts'
import type { Op } from '../ops/ops.ts'
import { isBelow } from '../text/paths.ts'
import { isMountedBy, masksIn, otherMasks } from './cover-ops.ts'
import { changesOf, isKernelPath, mountOp, newFileSystemOp, receivesMounts, setPropagation } from './mount-ops.ts'
import type { DeviceNode, Mount, MountPropagation, PropagationType, Root } from './root.ts'

const origin = 'rootfs'
const nodeTypes = { c: 0o020000, b: 0o060000, p: 0o010000 } as const

/** Returns the operations from the copy of the host's tree up to the root's own propagation. */
export function listedRootOps(root: Root, isolate: readonly NamespaceKind[]): Op[] {
  const receives = receivesMounts(root)
  const binds = Number(isolate.includes('user'))
  return [
    // here the host's mounts are slaves, and so are their copies: make the copies private
    ...(receives ? [setPropagation('rprivate', origin)] : []),
    {
      op: 'openRoot',
      source: root.directory ?? '/',
      attributes: root.readOnly ? mountAttributes.ro : 0,
      makes: isOwnDirectory(root) ? makesPoints.everywhere : makesPoints.nowhere,
      origin,
    },
    ...mountListed(root, receives),
    ...(root.nodes ?? []).map((node) => nodeOp(node, binds)),
    ...(root.links ?? []).map(({ path, to }): Op => ({ op: 'makeLink', name: path, to, keeps: 1, origin })),
    ...otherMasks(root, (path) => !isMountedBy(root, path)),
    ...(root.texts ?? []).map(
      (text): Op => ({ op: 'attachText', ...text, own: 0, required: Number(text.required ?? 0) }),
    ),
    ...(root.readOnlyLast ? [{ op: 'makeReadOnly', path: '/', origin } satisfies Op] : []),
    { op: 'pivotRoot', stays: root.directory === undefined ? 1 : 0, origin },
    ...rootPropagation(root.propagation),
  ]
}

/** Returns true if the root is a directory in which missing mount points may be created, other than the host's root. */
export function isOwnDirectory({ directory }: Root): boolean {
  return directory !== undefined && !/^[/.]*$/.test(directory)
}

/**
 * Returns the operations of the mounts. Targets in the new file system at /dev, /proc or /sys that was mounted last are
 * relative to it, which is faster.
 */
function mountListed(root: Root, receives: boolean): Op[] {
  let last: string | undefined
  return root.mounts.flatMap((requested) => {
    const { target } = requested
    const inside = last !== undefined && target !== last && isBelow(target, last) && !masksIn(root, requested).length
    const mount = { ...requested, ...(inside && { target: target.slice(last!.length + 1) }) }
    if (!inside && target.startsWith('/'))
      last = holds(requested) ? target : isBelow(last ?? '/', target) ? undefined : last
    return [...withPropagation(mount, listedOp(mount, isKernelPath(target)), receives), ...masksIn(root, requested)]
  })
}

/** Returns true for a new file system to which later relative targets refer, and that no link can alias. */
function holds({ type, target, remounts }: Mount): boolean {
  return type !== 'bind' && type !== 'cgroup' && !remounts && isKernelPath(target)
}

function listedOp(mount: Mount, strict: boolean): Op {
  const { type, target, origin: from, remounts } = mount
  const refuses = strict || mount.links === false
  if (remounts) return { op: 'changeMount', target, changes: changesOf(mount), origin: from }
  const resolved: Mount = refuses ? { ...mount, links: false } : mount
  return type === 'bind' ? mountOp(resolved) : newFileSystemOp(resolved)
}

/** Returns an operation with its propagation. Without that, the mount is private. */
function withPropagation({ propagation, origin: from }: Mount, op: Op, receives: boolean): Op[] {
  if (!propagation || (!receives && /private$/.test(propagation))) return [op]
  const after: Op = receives
    ? setPropagation('rprivate', from)
    : { op: 'setPropagation', type: 0, recursive: 0, origin: from }
  return [setPropagation(propagation, from), op, after]
}

function nodeOp({ path, type, major, minor, mode, uid, gid }: DeviceNode, binds: number): Op {
  return { op: 'makeNode', path, mode: mode | nodeTypes[type], major, minor, uid, gid, binds, origin }
}

/** Returns the operation for the propagation of the root itself. It follows pivot_root(2), which refuses shared mounts. */
function rootPropagation(propagation: MountPropagation | undefined): Op[] {
  if (!propagation || /private$/.test(propagation)) return []
  const type = propagation.replace(/^r(?!e)/, '') as PropagationType
  const flags = mountFlags[type] + (type === propagation ? 0 : mountFlags.rec)
  return [{ op: 'mount', source: '', target: '/', type: '', flags, data: '', origin }]
}
