// SPDX-License-Identifier: Apache-2.0
// Compiles the mounts of a job's own root directory to operations. The order of the operations matters for security, so
// comments give the reason for each position. Pure.

import type { Extent } from '../namespaces/id-map.ts'
import type { NamespaceKind } from '../namespaces/namespace.ts'
import { makesPoints, mountAttributes } from '../ops/mount-flags.ts'
import type { Op } from '../ops/ops.ts'
import { shareOp } from '../ops/wire.ts'
import { masksIn, otherMasks } from './cover-ops.ts'
import { type GroupView, isOwnDirectory, listedRootOps } from './listed-root.ts'
import { deviceLinks, devices } from './masked-paths.ts'
import { fileSystem, isKernelPath, propagated, receivesMounts, setPropagation } from './mount-ops.ts'

export type PropagationType = 'private' | 'slave' | 'shared' | 'unbindable'
export type MountPropagation = PropagationType | `r${PropagationType}`

/** A mount in the job's root. Mounts are made in the order of their list; options for mounts are parsed to this form. */
export interface Mount {
  /** `bind` for a copy of a tree of the host; otherwise a type of file system, such as tmpfs, overlay or proc. */
  type: string
  /** Path on the host for `bind`; otherwise ''. */
  source: string
  /**
   * Path in the job, resolved inside its root. A target without a leading "/" is relative to the new file system that
   * was mounted last at an absolute target.
   */
  target: string
  /** Attributes of mount_setattr(2), see ops/mount-flags.ts. */
  flags: number
  /**
   * Options of the file system, as `KEY=VALUE` or `KEY`. An overlay has `lowerdir=` once for each layer, the top layer
   * first. With `volatile`, its changes are discarded.
   */
  data: string[]
  /**
   * Exchange of later mounts with the host, see mount_namespaces(7); `r` includes the mounts below. `private` by
   * default. A `shared` mount gets a peer group of its own.
   */
  propagation?: MountPropagation
  origin: string
  /** The option's value as the user typed it. */
  typed?: string
  /** False if the target must not lead through a symbolic link of the image. Only for new file systems. */
  links?: false
  /** For `bind`: true if the mounts below the source are copied too. */
  recursive?: boolean
  /** For `bind`: attributes that the source's mount must not have. */
  absent?: number
  /**
   * Whether the ids of a `bind` mount are mapped: true if the option requests it. 'sandbox' stands for the writable
   * volumes of a sandbox started by root.
   */
  idmap?: true | 'sandbox'
  /** True if the mount is left out when its source does not exist. */
  ifThere?: boolean
  /**
   * Why the command in a sandbox started by root cannot write the volume. 'owner': another user owns it. 'filter': the
   * seccomp filter is not the sandbox's own.
   */
  closed?: 'owner' | 'filter'
  owner?: number
  /** True if `flags` and `clears` apply only to the mount itself, not to the mounts below it. */
  top?: true
  /** Attributes that the mount must not have. */
  clears?: number
  /** Attributes to set and to clear on the mount and on all mounts below it, after `flags`: options such as rro. */
  below?: { sets: number; clears: number }
  /** For `tmpfs`: true if the files that it covers are copied into it first. */
  copiesUp?: true
  /** For `idmap`: id maps of the mount. Undefined uses those of the user namespace. */
  maps?: { users: Extent[]; groups: Extent[] }
  /** For `idmap`: whether the ids of the mounts below are mapped, too. By default they are with `recursive`. */
  mapsBelow?: boolean
  /** True if an existing mount at the target only gets these flags and this propagation. */
  remounts?: true
}

/** A device file to create in the job's root. */
export interface DeviceNode {
  /** Absolute path in the job. */
  path: string
  type: 'c' | 'b' | 'p'
  major: number
  minor: number
  mode: number
  uid: number
  gid: number
  /** The option or property that requests it; that of the root by default. */
  origin?: string
}

/** An absolute path in the job, and the option that masks it; the option of its mount by default. */
export interface MaskedPath {
  path: string
  origin?: string
}

/** The root directory that a job requests. Without `directory`, the job uses the host's root. */
export interface Root {
  directory?: string
  /** True if the first mount covers the whole root directory, and becomes read-only after all other mounts. */
  sealed?: boolean
  readOnly: boolean
  dev: boolean
  mounts: Mount[]
  /** Read-only files with a text from hutch, which are mounted last. */
  texts?: { target: string; text: string; origin: string; required?: boolean }[]
  /** False if `mounts` is complete: hutch adds no /proc, /sys and /dev, and keeps the order of the list. */
  standard?: false
  /**
   * Paths to hide, and paths to make read-only; missing ones are ignored. By default the lists of masked-paths.ts. A
   * path in a proc or sysfs of the list is masked right after that mount, so later mounts can be on top.
   */
  maskedPaths?: readonly MaskedPath[]
  readonlyPaths?: readonly MaskedPath[]
  /** Device files to create after the mounts. In a user namespace, the device of the host is mounted instead. */
  nodes?: readonly DeviceNode[]
  /** Symbolic links to create after the mounts, unless something exists there. */
  links?: readonly { path: string; to: string }[]
  /** Exchange of later mounts between the root and the host. `rprivate` by default. */
  propagation?: MountPropagation
  /** Working directory of the command, absolute. It is created if it is missing, before the root becomes read-only. */
  workdir?: string
  /**
   * True if the root is attached at its own path, where hooks see it. The child waits for them after all mounts. Only
   * with `standard` false, in a new mount namespace.
   */
  hooked?: true
  /** True if `/` becomes read-only after everything else, also below mounts that were made on it. */
  readOnlyLast?: true
  /** Devices that are mounted, each with the requested access. */
  devices: { path: string; access: string; origin: string }[]
}

const { ro, nosuid, nodev, noexec } = mountAttributes

/**
 * Returns the operations from the copy of the host's tree up to pivot_root. `separateMounts` must come before them.
 * `joinsPid` is true if the job enters an existing pid namespace. `view` is what mounts of type cgroup show.
 */
export function rootOps(
  root: Root,
  isolate: readonly NamespaceKind[],
  joinsPid = false,
  view?: GroupView,
): readonly Op[] {
  if (root.standard === false) return listedRootOps(root, isolate, view)
  if (!Object.isFrozen(root)) return makeRootOps(root, isolate, joinsPid)
  const key = `${isolate.join()} ${joinsPid}`
  const known = knownRoots.get(root)
  if (known?.key === key) return known.ops
  const ops = makeRootOps(root, isolate, joinsPid).map(shareOp)
  knownRoots.set(root, { key, ops })
  return ops
}

/** The operations of frozen roots: those of options that were used before. */
const knownRoots = new WeakMap<Root, { key: string; ops: readonly Op[] }>()

function makeRootOps(root: Root, isolate: readonly NamespaceKind[], joinsPid: boolean): Op[] {
  const own = root.directory !== undefined
  const origin = own ? 'rootfs' : root.readOnly ? 'readOnly' : root.dev ? 'dev' : (root.mounts[0]?.origin ?? 'rootfs')
  // true if the root starts as an empty tmpfs that only this job uses
  const isEmpty = (mount?: Mount | Op) => mount && !('op' in mount) && mount.target === '/' && mount.type === 'tmpfs'
  const begins = root.sealed && root.mounts.some(isEmpty)
  const steps = arrangeSteps(root, isolate, joinsPid)
  return [
    // here the host's mounts are slaves, and so are their copies: make the copies private
    ...(receivesMounts(root) ? [setPropagation('rprivate', origin)] : []),
    // a tmpfs that would cover the root at once is the root itself: one tree less to copy, and to detach
    ...(root.sealed && isEmpty(steps[0]) ? [] : [openRoot(root, origin)]),
    ...steps.flatMap((step) => ('op' in step ? [step] : [...propagated(step), ...masksIn(root, step)])),
    ...(root.texts ?? []).map(
      (text): Op => ({ op: 'attachText', ...text, own: begins ? 1 : 0, required: text.required ? 1 : 0 }),
    ),
    ...(root.sealed && root.readOnly ? [{ op: 'makeReadOnly', path: '/', origin: 'readOnly' } satisfies Op] : []),
    { op: 'pivotRoot', stays: own ? 0 : 1, origin },
  ]
}

function openRoot(root: Root, origin: string): Op {
  const own = root.directory !== undefined
  return {
    op: 'openRoot',
    source: root.directory ?? '/',
    // the root becomes read-only first, so that volumes mounted later keep their own mode
    attributes: (root.readOnly ? ro : 0) + (own ? nodev : 0),
    // mount points are created only in a root of the job's own, because in the host's files they would stay
    makes: isOwnDirectory(root) ? makesPoints.inRoot : makesPoints.nowhere,
    covers: 0,
    origin,
  }
}

/** Returns the mounts in their order, with the operations between them. */
function arrangeSteps(root: Root, isolate: readonly NamespaceKind[], joinsPid: boolean): (Mount | Op)[] {
  const own = root.directory !== undefined
  const late = root.mounts.filter((mount) => isKernelPath(mount.target))
  return [
    ...root.mounts.filter((mount) => !late.includes(mount)),
    // masks below /proc and /sys come with the mounts of proc and sysfs: now they would cover paths of the host's
    ...otherMasks(root, (path) => !/^\/(proc|sys)\//.test(path)),
    // after the user's mounts, so that a symbolic link in the image cannot make one of them cover the real /proc or /sys
    ...(own || ((isolate.includes('pid') || joinsPid) && isolate.includes('mount'))
      ? [fileSystem('proc', '/proc', [], nosuid + nodev + noexec, own ? 'rootfs' : 'isolate')]
      : []),
    ...(own ? [sysMount(isolate, 'rootfs')] : []),
    ...(root.dev || own ? deviceSteps(isolate, root.dev ? 'dev' : 'rootfs') : []),
    // mounts that the user requested inside /proc, /sys and /dev
    ...late,
  ]
}

function sysMount(isolate: readonly string[], origin: string): Mount {
  const flags = ro + nosuid + nodev + noexec
  // a new sysfs shows the current network namespace, and the kernel lets only that namespace's owner mount it
  if (isolate.includes('user') && !isolate.includes('net'))
    return { type: 'bind', source: '/sys', target: '/sys', flags, data: [], recursive: true, origin }
  return fileSystem('sysfs', '/sys', [], flags, origin)
}

const knownDevices = new Map<string, readonly (Mount | Op)[]>()

function deviceSteps(isolate: readonly NamespaceKind[], origin: string): readonly (Mount | Op)[] {
  const key = `${isolate.includes('ipc')} ${origin}`
  const known = knownDevices.get(key) ?? makeDeviceSteps(isolate, origin)
  knownDevices.set(key, known)
  return known
}

function makeDeviceSteps(isolate: readonly NamespaceKind[], origin: string): (Mount | Op)[] {
  const flags = nosuid + noexec
  const steps: (Mount | Op)[] = [
    fileSystem('tmpfs', '/dev', ['mode=0755', 'size=65536k'], flags, origin),
    ...devices.map((name): Mount => ({ type: 'bind', source: `/dev/${name}`, target: name, flags, data: [], origin })),
    ...deviceLinks.map(([name, to]): Op => shareOp({ op: 'makeLink', name, to, keeps: 0, origin })),
    shareOp({ op: 'attachTerminal', target: 'console', attributes: flags, origin }),
    fileSystem('devpts', 'pts', ['newinstance', 'ptmxmode=0666', 'mode=0620'], flags, origin),
    fileSystem('tmpfs', 'shm', ['mode=1777', 'size=64m'], flags + nodev, origin),
    // message queues belong to the ipc namespace: without a new one, this would show the host's queues
    ...(isolate.includes('ipc') ? [fileSystem('mqueue', 'mqueue', [], flags + nodev, origin)] : []),
  ]
  return steps.map((step) => Object.freeze(step))
}
