// SPDX-License-Identifier: Apache-2.0
// The job's own root file system: what was asked for → operations. The order is what makes it safe, so each step says why it stands there.

import type { NamespaceKind } from '../namespaces/namespace.ts'
import { mountAttributes } from '../ops/mount-flags.ts'
import type { Op } from '../ops/ops.ts'
import { deviceLinks, devices, maskedProc, maskedSys, readOnlyProc } from './masked-paths.ts'

/** One thing to be attached, as the user ordered it. Sources are paths outside, targets inside; `typed` is the option's word; `absent` are attributes that the source's mount must not have. */
export type Mount = { target: string; attributes: number; origin: string; typed?: string } & (
  | {
      kind: 'volume'
      source: string
      recursive: boolean
      absent?: number
      /** Its ids are mapped: as the option says, or as root's sandbox does it for volumes that may be written. */
      idmap?: true | 'sandbox'
      ifThere?: boolean
      /** A volume of root's sandbox that the command cannot write: it belongs to another user, or the filter is not the sandbox's. */
      closed?: 'owner' | 'filter'
      owner?: number
    }
  | { kind: 'tmpfs'; options: string[] }
  | { kind: 'overlay'; lower: string[]; upper: string; work: string; drops: boolean }
)

/** A root as asked for. Without `directory` it is the host's own. */
export interface Root {
  directory?: string
  /** Its first mount covers all of the directory, and cannot be written once the others are in it. */
  sealed?: boolean
  readOnly: boolean
  dev: boolean
  mounts: Mount[]
  /** Files of our own text, read-only, on top of all. */
  texts?: { target: string; text: string; origin: string; required?: boolean }[]
  /** Paths inside that are hidden, where the mounts brought them. */
  hides?: { path: string; origin: string }[]
  /** Paths below /proc and /sys that stay uncovered, of `coveredPaths`. */
  unmask?: readonly string[]
  /** Devices that are among the mounts, and what may be done with them. */
  devices: { path: string; access: string; origin: string }[]
}

const { ro, nosuid, nodev, noexec } = mountAttributes

/** From the copy of the tree to pivot_root; privatePropagation must stand before. `joinsPid`: the pid namespace is one that was joined. */
export function rootOps(root: Root, isolate: readonly NamespaceKind[], joinsPid = false): Op[] {
  const own = root.directory !== undefined
  const dev = root.dev || own
  const origin = own ? 'rootfs' : root.readOnly ? 'readOnly' : root.dev ? 'dev' : (root.mounts[0]?.origin ?? 'rootfs')
  // it begins as an empty tmpfs of the job alone
  const begins = root.sealed && root.mounts.some((mount) => mount.target === '/' && mount.kind === 'tmpfs')
  const late = root.mounts.filter((mount) => isLate(mount.target))
  const isCovered = (path: string) => !root.unmask?.includes(path)
  return [
    // read-only first: volumes that are attached later stay as they were asked for
    {
      op: 'openRoot',
      source: root.directory ?? '/',
      attributes: (root.readOnly ? ro : 0) + (own ? nodev : 0),
      // on the host's own files nothing is made that would stay there
      makes: own && !/^[/.]*$/.test(root.directory ?? '/') ? 1 : 0,
      origin,
    },
    ...root.mounts.filter((mount) => !late.includes(mount)).map(mountOp),
    ...(root.hides ?? []).map(({ path, origin }): Op => ({ op: 'coverPath', path, readOnly: 0, origin })),
    // after the mounts: a link in the image cannot make one of them cover the true /proc or /sys
    ...(own || ((isolate.includes('pid') || joinsPid) && isolate.includes('mount'))
      ? procOps(own ? 'rootfs' : 'isolate', isCovered)
      : []),
    ...(own ? sysOps(isolate, 'rootfs', isCovered) : []),
    ...(dev ? deviceOps(isolate, root.dev ? 'dev' : 'rootfs') : []),
    // what the user wants inside of these three
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
      // its ids can only be mapped from outside
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

/** Covers follow each file system at once: they are meant from the one attached last. */
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
  // a new sysfs shows the network namespace, and is refused to who does not own that
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
    // its queues are the ipc namespace's: with the host's namespace they would be the host's
    ...(isolate.includes('ipc') ? [inside('mqueue', 'mqueue', [], nosuid + nodev + noexec)] : []),
  ]
}
