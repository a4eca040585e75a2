// SPDX-License-Identifier: Apache-2.0
// Compiles a root whose list of mounts is complete, as that of an OCI container. Mounts are made in their order, then
// device files, links and masked paths. Called by root.ts; pure.
import type { NamespaceKind } from '../namespaces/namespace.ts'
import { makesPoints, mountAttributes, mountFlags, takesOver, treeBits } from '../ops/mount-flags.ts'
import type { Op } from '../ops/ops.ts'
import { isBelow } from '../text/paths.ts'
import { isMountedBy, masksIn, otherMasks } from './cover-ops.ts'
import {
  changesOf,
  finalFlags,
  isKernelPath,
  mountOp,
  newFileSystemOp,
  receivesMounts,
  setPropagation,
} from './mount-ops.ts'
import type { DeviceNode, Mount, MountPropagation, PropagationType, Root } from './root.ts'

const origin = 'rootfs'
const nodeTypes = { c: 0o020000, b: 0o060000, p: 0o010000 } as const

/** What a mount of type cgroup shows: names in it, with a directory or the text of a link for each; see attachGroups. */
export interface GroupView {
  names: string[]
  sources: string[]
  /** True if the groups are not the container's, so it must not write them (CVE-2023-25809). */
  readOnly: boolean
}

/**
 * Returns the operations from the copy of the host's tree up to the root's own propagation. Device files and links are
 * created before the last mounts of the list become read-only.
 */
export function listedRootOps(root: Root, isolate: readonly NamespaceKind[], view?: GroupView): Op[] {
  const receives = receivesMounts(root)
  const binds = Number(isolate.includes('user'))
  const later = root.mounts.findLastIndex(({ remounts }) => !remounts) + 1
  return [
    // here the host's mounts are slaves, and so are their copies: make the copies private
    ...(receives ? [setPropagation('rprivate', origin)] : []),
    {
      op: 'openRoot',
      source: root.directory ?? '/',
      attributes: root.readOnly ? mountAttributes.ro : 0,
      makes: isOwnDirectory(root) ? makesPoints.everywhere : makesPoints.nowhere,
      covers: Number(root.hooked ?? false),
      origin,
    },
    ...mountListed(root, root.mounts.slice(0, later), receives, view),
    ...(root.nodes ?? []).map((node) => nodeOp(node, binds)),
    ...(root.links ?? []).map(({ path, to }): Op => ({ op: 'makeLink', name: path, to, keeps: 1, origin })),
    ...mountListed(root, root.mounts.slice(later), receives, view),
    // paths that become hidden or read-only after this are still as the image has them
    ...(root.hooked ? [{ op: 'awaitRelease', mounts: 0, origin } satisfies Op] : []),
    ...otherMasks(root, (path) => !isMountedBy(root, path)),
    ...(root.texts ?? []).map(
      (text): Op => ({ op: 'attachText', ...text, own: 0, required: Number(text.required ?? 0) }),
    ),
    ...(root.workdir === undefined
      ? []
      : [{ op: 'makeWorkingDirectory', path: root.workdir, origin: 'workdir' } satisfies Op]),
    ...(root.readOnlyLast ? [{ op: 'makeReadOnly', path: '/', origin } satisfies Op] : []),
    { op: 'pivotRoot', stays: root.directory === undefined ? 1 : 0, origin },
    ...rootPropagation(root.propagation),
  ]
}

/**
 * Returns the operation that copies the trees which a shared root shares with the host. It must come before all mounts
 * become private. A tree that is shared in another root gets a peer group of its own.
 */
export function holdShared(root: Root | undefined): Op[] {
  const held = root?.standard === false ? root.mounts.filter((mount) => isPeer(root, mount)) : []
  if (held.length === 0) return []
  const how = held.map(
    ({ recursive, propagation }) =>
      (recursive ? treeBits.recursive : 0) + (propagation === 'rshared' ? treeBits.allShared : 0),
  )
  return [{ op: 'holdTrees', sources: held.map(({ source }) => source), how, origin: held[0]!.origin }]
}

function isPeer(root: Root, { type, propagation, remounts, idmap }: Mount): boolean {
  const isShared = (kind = '') => /^r?shared$/.test(kind)
  return type === 'bind' && !remounts && !idmap && isShared(propagation) && isShared(root.propagation)
}

/** Returns true if the root is a directory in which missing mount points may be created, other than the host's root. */
export function isOwnDirectory({ directory }: Root): boolean {
  return directory !== undefined && !/^[/.]*$/.test(directory)
}

/**
 * Returns the operations of the mounts. Targets in the new file system at /dev, /proc or /sys that was mounted last are
 * relative to it, which is faster.
 */
function mountListed(root: Root, mounts: readonly Mount[], receives: boolean, view: GroupView | undefined): Op[] {
  let last: string | undefined
  return mounts.flatMap((requested) => {
    const { target, type } = requested
    // masks, and the names of groups, are relative to a mount at an absolute target
    const isBase = type === 'cgroup' || masksIn(root, requested).length > 0
    const inside = last !== undefined && target !== last && isBelow(target, last) && !isBase
    const mount = { ...requested, ...(inside && { target: target.slice(last!.length + 1) }) }
    if (type === 'cgroup') last = undefined
    else if (!inside && target.startsWith('/'))
      last = holds(requested) ? target : isBelow(last ?? '/', target) ? undefined : last
    return [
      ...(isPeer(root, mount)
        ? takeHeld(listedOp(mount, isKernelPath(target), view), receives)
        : withPropagation(mount, listedOp(mount, isKernelPath(target), view), receives)),
      ...masksIn(root, requested),
    ]
  })
}

/** Returns true for a new file system to which later relative targets refer, and that no link can alias. */
function holds({ type, target, remounts }: Mount): boolean {
  return type !== 'bind' && type !== 'cgroup' && !remounts && isKernelPath(target)
}

function listedOp(mount: Mount, strict: boolean, view: GroupView | undefined): Op {
  const { type, target, origin: from, remounts } = mount
  const refuses = strict || mount.links === false
  if (remounts) return { op: 'changeMount', target, changes: changesOf(mount), origin: from }
  const resolved: Mount = refuses ? { ...mount, links: false } : mount
  if (type === 'bind') return mountOp(resolved)
  if (type === 'cgroup' && view) return groupsOp(resolved, view)
  const hasMode = type !== 'tmpfs' || mount.data.some((word) => word.startsWith('mode='))
  return newFileSystemOp(resolved, mount.copiesUp ? takesOver.files : hasMode ? takesOver.nothing : takesOver.mode)
}

function groupsOp({ target, origin: from, ...mount }: Mount, { names, sources, readOnly }: GroupView): Op {
  const attributes = (finalFlags({ target, origin: from, ...mount }) | (readOnly ? mountAttributes.ro : 0)) >>> 0
  return { op: 'attachGroups', target, names, sources, attributes, required: 1, origin: from }
}

/** Returns an operation with its propagation. Without that, the mount is private. */
function withPropagation({ propagation, origin: from }: Mount, op: Op, receives: boolean): Op[] {
  if (!propagation || (!receives && /private$/.test(propagation))) return [op]
  const after: Op = receives
    ? setPropagation('rprivate', from)
    : { op: 'setPropagation', type: 0, recursive: 0, origin: from }
  return [setPropagation(propagation, from), op, after]
}

/** Returns the operations that attach a held tree, whose propagation stays. */
function takeHeld(op: Op, receives: boolean): Op[] {
  const attach = { ...op, recursive: treeBits.held } as Op
  if (!receives) return [attach]
  return [{ op: 'setPropagation', type: 0, recursive: 0, origin }, attach, setPropagation('rprivate', origin)]
}

function nodeOp({ path, type, major, minor, mode, uid, gid, origin: from = origin }: DeviceNode, binds: number): Op {
  return { op: 'makeNode', path, mode: mode | nodeTypes[type], major, minor, uid, gid, binds, origin: from }
}

/** Returns the operation for the propagation of the root itself. It follows pivot_root(2), which refuses shared mounts. */
function rootPropagation(propagation: MountPropagation | undefined): Op[] {
  if (!propagation || /private$/.test(propagation)) return []
  const type = propagation.replace(/^r(?!e)/, '') as PropagationType
  const flags = mountFlags[type] + (type === propagation ? 0 : mountFlags.rec)
  return [{ op: 'mount', source: '', target: '/', type: '', flags, data: '', origin }]
}
