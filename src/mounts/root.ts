// SPDX-License-Identifier: Apache-2.0
// Compiles the job's own root file system to operations. Safety depends on their order, so comments give the reason for each position.
// Pure.

import type { NamespaceKind } from '../namespaces/namespace.ts'
import { mountAttributes } from '../ops/mount-flags.ts'
import type { Op } from '../ops/ops.ts'
import { deviceLinks, devices, maskedProc, maskedSys, readOnlyProc } from './masked-paths.ts'

/**
 * A requested mount. Sources are paths outside, targets inside. `typed` is the option's value; `absent` are attributes that the source's
 * mount must not have.
 */
export type Mount = { target: string; attributes: number; origin: string; typed?: string } & (
  | {
      kind: 'volume'
      source: string
      recursive: boolean
      absent?: number
      /** How its ids are mapped: true if the option requests it, 'sandbox' for writable volumes of root's sandbox. */
      idmap?: true | 'sandbox'
      ifThere?: boolean
      /** Why the command of root's sandbox cannot write the volume: it belongs to another user, or the filter is not the sandbox's. */
      closed?: 'owner' | 'filter'
      owner?: number
    }
  | { kind: 'tmpfs'; options: string[] }
  | { kind: 'overlay'; lower: string[]; upper: string; work: string; drops: boolean }
)

/** A requested root; without `directory` it is the host's. */
export interface Root {
  directory?: string
  /** True if the first mount covers the directory and becomes read-only after the other mounts are made. */
  sealed?: boolean
  readOnly: boolean
  dev: boolean
  mounts: Mount[]
  /** Read-only files with hutch's text, on top of all mounts. */
  texts?: { target: string; text: string; origin: string; required?: boolean }[]
  /** Paths inside to hide, if the mounts contain them. */
  hides?: { path: string; origin: string }[]
  /** Paths below /proc and /sys that stay uncovered; each is one of `coveredPaths`. */
  unmask?: readonly string[]
  /** Devices among the mounts, with the allowed access. */
  devices: { path: string; access: string; origin: string }[]
}

const { ro, nosuid, nodev, noexec } = mountAttributes

/**
 * Returns the operations from the copy of the tree to pivot_root; privatePropagation must precede them. `joinsPid` means that the pid
 * namespace is joined.
 */
export function rootOps(root: Root, isolate: readonly NamespaceKind[], joinsPid = false): Op[] {
  const own = root.directory !== undefined
  const dev = root.dev || own
  const origin = own ? 'rootfs' : root.readOnly ? 'readOnly' : root.dev ? 'dev' : (root.mounts[0]?.origin ?? 'rootfs')
  // the root starts as an empty tmpfs that only the job uses
  const begins = root.sealed && root.mounts.some((mount) => mount.target === '/' && mount.kind === 'tmpfs')
  const late = root.mounts.filter((mount) => isLate(mount.target))
  const isCovered = (path: string) => !root.unmask?.includes(path)
  return [
    // make the root read-only first, so that volumes mounted later keep their own mode
    {
      op: 'openRoot',
      source: root.directory ?? '/',
      attributes: (root.readOnly ? ro : 0) + (own ? nodev : 0),
      // create no mount points in the host's own files, where they would stay
      makes: own && !/^[/.]*$/.test(root.directory ?? '/') ? 1 : 0,
      origin,
    },
    ...root.mounts.filter((mount) => !late.includes(mount)).map(mountOp),
    ...(root.hides ?? []).map(({ path, origin }): Op => ({ op: 'coverPath', path, readOnly: 0, origin })),
    // after the mounts, so that a link in the image cannot make one of them cover the real /proc or /sys
    ...(own || ((isolate.includes('pid') || joinsPid) && isolate.includes('mount'))
      ? procOps(own ? 'rootfs' : 'isolate', isCovered)
      : []),
    ...(own ? sysOps(isolate, 'rootfs', isCovered) : []),
    ...(dev ? deviceOps(isolate, root.dev ? 'dev' : 'rootfs') : []),
    // the user's mounts inside /proc, /sys and /dev
    ...late.map(mountOp),
    ...(root.texts ?? []).map(
      (text): Op => ({ op: 'attachText', ...text, own: begins ? 1 : 0, required: text.required ? 1 : 0 }),
    ),
    ...(root.sealed && root.readOnly ? [{ op: 'makeReadOnly', path: '/', origin: 'readOnly' } satisfies Op] : []),
    { op: 'pivotRoot', stays: own ? 0 : 1, origin },
  ]
}

function isLate(target: string): boolean {
  return /^\/(proc|sys|dev)(\/|$)/.test(target)
}

function mountOp(mount: Mount): Op {
  const { target, attributes, origin } = mount
  switch (mount.kind) {
    case 'volume':
      // ids can be mapped only from outside
      if (mount.idmap) return { op: 'attachSent', source: mount.source, target, origin }
      return {
        op: 'attachTree',
        source: mount.source,
        target,
        attributes,
        absent: mount.absent ?? 0,
        recursive: mount.recursive ? 1 : 0,
        origin,
      }
    case 'tmpfs':
      return { op: 'attachNew', type: 'tmpfs', options: mount.options, target, attributes, links: 1, origin }
    case 'overlay': {
      const { lower, upper, work } = mount
      return { op: 'attachOverlay', lower, upper, work, target, attributes, drops: mount.drops ? 1 : 0, origin }
    }
  }
}

/** Returns the operations for /proc. The covers follow directly, because their paths are relative to the last mounted file system. */
function procOps(origin: string, isCovered: (path: string) => boolean): Op[] {
  const below = (list: typeof maskedProc) => list.filter(([path]) => isCovered(`/proc/${path}`))
  return [
    {
      op: 'attachNew',
      type: 'proc',
      options: [],
      target: '/proc',
      attributes: nosuid + nodev + noexec,
      links: 0,
      origin,
    },
    ...below(readOnlyProc).map(([path]): Op => ({ op: 'coverPath', path, readOnly: 1, origin })),
    ...below(maskedProc).map(([path]): Op => ({ op: 'coverPath', path, readOnly: 0, origin })),
  ]
}

function sysOps(isolate: readonly string[], origin: string, isCovered: (path: string) => boolean): Op[] {
  const masked = maskedSys.filter(([path]) => isCovered(`/sys/${path}`))
  const attributes = ro + nosuid + nodev + noexec
  // a new sysfs shows the network namespace, and only the owner of that may mount it
  if (isolate.includes('user') && !isolate.includes('net'))
    return [
      { op: 'attachTree', source: '/sys', target: '/sys', attributes, absent: 0, recursive: 1, origin },
      ...masked.map(([path]): Op => ({ op: 'coverPath', path: `/sys/${path}`, readOnly: 0, origin })),
    ]
  return [
    { op: 'attachNew', type: 'sysfs', options: [], target: '/sys', attributes, links: 0, origin },
    ...masked.map(([path]): Op => ({ op: 'coverPath', path, readOnly: 0, origin })),
  ]
}

function deviceOps(isolate: readonly NamespaceKind[], origin: string): Op[] {
  const inside = (type: string, target: string, options: string[], attributes: number): Op => ({
    op: 'attachNew',
    type,
    options,
    target,
    attributes,
    links: 0,
    origin,
  })
  return [
    inside('tmpfs', '/dev', ['mode=0755', 'size=65536k'], nosuid + noexec),
    ...devices.map(
      (name): Op => ({
        op: 'attachTree',
        source: `/dev/${name}`,
        target: name,
        attributes: nosuid + noexec,
        absent: 0,
        recursive: 0,
        origin,
      }),
    ),
    ...deviceLinks.map(([name, to]): Op => ({ op: 'makeLink', name, to, origin })),
    { op: 'attachTerminal', target: 'console', attributes: nosuid + noexec, origin },
    inside('devpts', 'pts', ['newinstance', 'ptmxmode=0666', 'mode=0620'], nosuid + noexec),
    inside('tmpfs', 'shm', ['mode=1777', 'size=64m'], nosuid + nodev + noexec),
    // message queues belong to the ipc namespace: without a new one, these would be the host's
    ...(isolate.includes('ipc') ? [inside('mqueue', 'mqueue', [], nosuid + nodev + noexec)] : []),
  ]
}
