// SPDX-License-Identifier: Apache-2.0
// Explains a refused mount: what errno means depends on whether the source, the target or the file system is the
// problem. Called by op-errors.ts; pure.
import { fail, type HutchError, quote } from '../errors/errors.ts'
import { asRoot, oneOf, withOption } from '../errors/remedy-text.ts'
import { type Op, rowOf } from '../ops/ops.ts'
import type { ErrnoWords, RefusedOp } from '../ops/row.ts'
import { stepWhat } from '../ops/step-words.ts'
import type { stepParts } from '../ops/wire.ts'
import { type TargetContext, type TargetState, targetWords } from './mount-target.ts'

type Part = (typeof stepParts)[number]

/** Returns the error of a refused mount. */
export function explainMountRefusal(op: Op, refusal: RefusedOp, seen?: TargetReport): HutchError {
  const { errno, origin } = refusal
  const part = refusal.partName as Part
  const isOverlay = op.op === 'attachOverlay' || sourceOf(op) === 'overlay'
  const names = { source: sourceOf(op), target: targetOf(op), origin, isOverlay }
  const found = seen && targetWords(seen.state, { ...seen, op, errno, origin, target: targetPath(op) })
  const [why, remedy] =
    found ?? rowOf(op).mount?.words?.(refusal) ?? explain[part]?.(errno, names) ?? anywhere(errno, names)
  const path = part === 'target' || part === 'attach' ? names.target : names.source
  return fail('MOUNT_REFUSED', { what: stepWhat(op), why, errno, path, origin, remedy })
}

/** What hutch-init found at the target, together with the operations and mounts before the refused one. */
export interface TargetReport extends Pick<TargetContext, 'frontend' | 'steps' | 'mounts'> {
  state: TargetState
}

interface Names {
  source: string
  target: string
  origin: string
  isOverlay: boolean
}

const explain: { [part in Part]?: (errno: string, names: Names) => ErrnoWords | undefined } = {
  source: (errno, { source, origin }) => {
    if (errno === 'ENOENT') return [`${source} is not there`, `create it, or give another in ${origin}`]
    if (errno === 'ENOTDIR') return [`${source} is not a directory`, `give a directory in ${origin}`]
    if (errno === 'EBADF')
      return [`${source} is not open, or an earlier option used it up`, `open one for each ${origin}`]
    if (errno === 'ESTALE') return [`${source} is no longer the file at its path`, `open it again for ${origin}`]
    if (errno === 'ELOOP') return [`${source} goes through too many links`, `give another in ${origin}`]
    if (errno === 'EACCES')
      return [`${source} cannot be entered`, oneOf([`give one that this user can enter in ${origin}`, asRoot()], '')]
    if (errno === 'EINVAL')
      return [
        `${source} cannot be copied: it is unbindable, or locked by a user namespace`,
        'give a path below it, or leave out bind',
      ]
    return undefined
  },
  target: (errno, { target, origin }) => {
    if (errno === 'ENOENT')
      return [
        `${target} does not exist inside; hutch creates mount points only in a --rootfs, a tmpfs or an overlay`,
        `make ${target} first, or give one that exists in ${origin}`,
      ]
    if (errno === 'EROFS')
      return [
        `${target} does not exist inside, and cannot be made on a read-only mount`,
        `make ${target} in the root first, or mount a writable file system there before`,
      ]
    if (errno === 'ELOOP')
      return [
        `${target} leads through a symbolic link inside, which is not followed there or has no end`,
        `make ${target} a directory in the root`,
      ]
    if (errno === 'ENOTDIR')
      return [`a part of the path to ${target} is not a directory`, `give another target in ${origin}`]
    if (errno === 'EACCES')
      return [
        `a directory on the path to ${target} cannot be searched or written by this user`,
        `see which one: namei -l ${target} in the root; or give another target in ${origin}`,
      ]
    if (errno === 'EAGAIN') return [`${target} is being renamed repeatedly`, 'stop the program that changes the root']
    return undefined
  },
  'file system': (errno, { target, origin, isOverlay }) => {
    if (errno === 'ENODEV') return ['this kernel has no such file system', `leave out ${origin}`]
    if (errno === 'EINVAL' || errno === 'ESTALE' || errno === 'EBUSY')
      return [
        `the file system does not accept these options${isOverlay ? ', or its layers cannot be combined' : ''}`,
        isOverlay
          ? `check what ${origin} requires: upper and work are on one file system, not on an overlay, and not in a layer of another overlay`
          : `check the options of ${origin}, with the names and values of this file system (mount(8))`,
      ]
    if (errno === 'EPERM')
      return [
        `this user cannot mount it at ${target}`,
        oneOf(
          [asRoot(), withOption('for /sys with a network namespace: %', 'isolate', 'all')],
          `leave out ${origin}; inside a container, /proc must not be covered by other mounts`,
        ),
      ]
    return undefined
  },
  attach: (errno, { source, target, origin }) => {
    if (errno === 'ELOOP')
      return [
        `${target} is a symbolic link inside, and nothing is mounted on a link (readlink ${target} says where it leads)`,
        `give the path that it leads to in ${origin}`,
      ]
    if (errno === 'ENOTDIR' || errno === 'EISDIR')
      return [
        `${source} and ${target} are not both a directory or both a file`,
        'give a directory for a directory, a file for a file',
      ]
    return undefined
  },
  attributes: (errno, { target, origin }) => {
    if (errno === 'EINVAL') return [`${target} is not a mount point`, `give one in ${origin}`]
    return undefined
  },
  'read only': keeps('ro', 'rw'),
  'no suid': keeps('nosuid', 'suid'),
  'no dev': keeps('nodev', 'dev'),
  'no exec': keeps('noexec', 'exec'),
  layer: (errno, { origin }) => {
    if (errno === 'ENOENT') return ['upper or work does not exist', `make both directories of ${origin}`]
    if (errno === 'ENOTDIR') return ['upper or work is not a directory', `give directories in ${origin}`]
    return undefined
  },
}

/**
 * Returns words for a mount flag, such as ro, that the source's mount has. In a user namespace the kernel keeps these
 * flags locked (mount_namespaces(7)).
 */
function keeps(flag: string, word: string) {
  return (_errno: string, { source, origin }: Names): ErrnoWords => [
    `the mount of ${source} has ${flag}, so ${word} of ${origin} would not hold`,
    `allow it there${asRoot(', as root') ?? ''}: mount -o remount,${word} "$(findmnt -n -o TARGET -T ${source})"; or leave out ${word}`,
  ]
}

function anywhere(errno: string, { origin }: Names): ErrnoWords {
  if (errno === 'EEXIST') return ['another file exists there', `give another path in ${origin}`]
  if (errno === 'EROFS') return ['the file system there is read-only', 'mount a writable file system there before']
  if (errno === 'ENOENT') return ['it is not there', `make it first, or give another path in ${origin}`]
  if (errno === 'EPERM') return ['mounts take CAP_SYS_ADMIN', oneOf([asRoot(), `leave out ${origin}`], '')]
  if (errno === 'ENOSYS') return ['this kernel lacks the system call', 'use Linux 5.12 or newer']
  if (errno === 'ENOSPC') return ['there are too many mounts', 'raise /proc/sys/fs/mount-max, or mount less']
  return ['the kernel refused', 'see hutch doctor']
}

/** Returns true if an operation makes the job's root or mounts something in it. Its error is then about a source or a target. */
export function isMountOp(op: Op): boolean {
  return rowOf(op).mount !== undefined
}

function sourceOf(op: Op): string {
  return rowOf(op).mount?.source?.(op as never) ?? '/'
}

function targetOf(op: Op): string {
  return quote(targetPath(op))
}

function targetPath(op: Op): string {
  return rowOf(op).mount?.target?.(op as never) ?? '/'
}
