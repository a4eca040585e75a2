// SPDX-License-Identifier: Apache-2.0
// Compiles the mounts of a job's own root directory to operations. The order of the operations matters for security, so
// comments give the reason for each position. Pure.

import type { NamespaceKind } from '../namespaces/namespace.ts'
import { mountAttributes } from '../ops/mount-flags.ts'
import type { Op } from '../ops/ops.ts'
import { deviceLinks, devices, maskedProc, maskedSys, readOnlyProc } from './masked-paths.ts'

/**
 * A requested mount. The source is a path on the host, the target a path in the job. `typed` is the option's value as
 * the user typed it. `absent` are attributes that the source's mount must not have.
 */
export type Mount = { target: string; attributes: number; origin: string; typed?: string } & (
  | {
      kind: 'volume'
      source: string
      recursive: boolean
      absent?: number
      /**
       * Whether the volume's ids are mapped: true if the option requests it, 'sandbox' for the writable volumes of a
       * sandbox started by root.
       */
      idmap?: true | 'sandbox'
      ifThere?: boolean
      /**
       * Why the command in a sandbox started by root cannot write the volume. 'owner': another user owns it. 'filter':
       * the seccomp filter is not the sandbox's own.
       */
      closed?: 'owner' | 'filter'
      owner?: number
    }
  | { kind: 'tmpfs'; options: string[] }
  | { kind: 'overlay'; lower: string[]; upper: string; work: string; drops: boolean }
)

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
  /** Paths in the job to hide, if the mounts contain them. */
  hides?: { path: string; origin: string }[]
  /** Paths below /proc and /sys that the job may use as on the host; each is one of `coveredPaths`. */
  unmask?: readonly string[]
  /** Devices that are mounted, each with the requested access. */
  devices: { path: string; access: string; origin: string }[]
}

const { ro, nosuid, nodev, noexec } = mountAttributes

/**
 * Returns the operations from the copy of the host's tree up to pivot_root. `privatePropagation` must come before them.
 * `joinsPid` is true if the job enters an existing pid namespace.
 */
export function rootOps(root: Root, isolate: readonly NamespaceKind[], joinsPid = false): Op[] {
  const own = root.directory !== undefined
  const dev = root.dev || own
  const origin = own ? 'rootfs' : root.readOnly ? 'readOnly' : root.dev ? 'dev' : (root.mounts[0]?.origin ?? 'rootfs')
  // true if the root starts as an empty tmpfs that only this job uses
  const begins = root.sealed && root.mounts.some((mount) => mount.target === '/' && mount.kind === 'tmpfs')
  const late = root.mounts.filter((mount) => isLate(mount.target))
  const isCovered = (path: string) => !root.unmask?.includes(path)
  return [
    // the root becomes read-only first, so that volumes mounted later keep their own mode
    {
      op: 'openRoot',
      source: root.directory ?? '/',
      attributes: (root.readOnly ? ro : 0) + (own ? nodev : 0),
      // mount points are created only in a root of the job's own, because in the host's files they would stay
      makes: own && !/^[/.]*$/.test(root.directory ?? '/') ? 1 : 0,
      origin,
    },
    ...root.mounts.filter((mount) => !late.includes(mount)).map(mountOp),
    ...(root.hides ?? []).map(({ path, origin }): Op => ({ op: 'coverPath', path, readOnly: 0, origin })),
    // after the user's mounts, so that a symbolic link in the image cannot make one of them cover the real /proc or /sys
    ...(own || ((isolate.includes('pid') || joinsPid) && isolate.includes('mount'))
      ? procOps(own ? 'rootfs' : 'isolate', isCovered)
      : []),
    ...(own ? sysOps(isolate, 'rootfs', isCovered) : []),
    ...(dev ? deviceOps(isolate, root.dev ? 'dev' : 'rootfs') : []),
    // mounts that the user requested inside /proc, /sys and /dev
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
      // a mount with mapped ids was made outside the namespace, because only there can ids be mapped
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

/**
 * Returns the operations that mount /proc. The ones that hide paths in it follow directly, because their paths are
 * relative to the file system mounted last.
 */
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
  // a new sysfs shows the current network namespace, and the kernel lets only that namespace's owner mount it
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
    // message queues belong to the ipc namespace: without a new one, this would show the host's queues
    ...(isolate.includes('ipc') ? [inside('mqueue', 'mqueue', [], nosuid + nodev + noexec)] : []),
  ]
}
