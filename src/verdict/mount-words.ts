// SPDX-License-Identifier: Apache-2.0
// Formats mount options for pasting, in the form of each front end. Called by run/mount-target.ts; pure.

import type { Op } from '../ops/ops.ts'
import { escapePath, type MountKind } from '../options/mount-options.ts'
import { pasteable } from './exec-words.ts'

/** Front ends that have options for mounts in a job's root. */
export type MountFrontend = 'cli' | 'library' | 'bwrap'

/** A mount option: its kind and value, or the arguments of bwrap. */
export type MountWords = { kind: MountKind; word: string } | readonly string[]

/**
 * Formats the options in the given order, such as `--overlay /etc:/etc --volume data:/etc/data` or `mounts: [{ volume: 'data:/etc/data'
 * }]`.
 */
export function formatMounts(list: readonly MountWords[], frontend: MountFrontend): string {
  const texts = list.map((one) => {
    if (!('kind' in one)) return one.map(pasteable).join(' ')
    return frontend === 'library'
      ? `{ ${one.kind}: ${JSON.stringify(one.word)} }`
      : `--${one.kind} ${pasteable(one.word)}`
  })
  return frontend === 'library' ? `mounts: [${texts.join(', ')}]` : texts.join(' ')
}

/** Returns the option that mounts a tmpfs at a path. */
export function tmpfsAt(path: string, frontend: MountFrontend): MountWords {
  return frontend === 'bwrap' ? ['--tmpfs', path] : { kind: 'tmpfs', word: escapePath(path) }
}

/**
 * Returns the option that mounts an overlay over existing files, so that mount points can be created there. Changes in
 * the overlay are discarded.
 */
export function overlayAt(path: string, host: string, frontend: MountFrontend): MountWords {
  return frontend === 'bwrap'
    ? ['--overlay-src', host, '--tmp-overlay', path]
    : { kind: 'overlay', word: `${escapePath(host)}:${escapePath(path)}` }
}

/**
 * Returns the option of bwrap that requested an operation, with another destination. Returns undefined if the operation
 * alone is not the whole option.
 */
export function bwrapOption(op: Op, origin: string, target: string): MountWords | undefined {
  switch (op.op) {
    case 'attachTree':
      // options with a descriptor cannot be pasted, because the descriptor's content is not in the command line
      return /-fd$/.test(origin) || !/bind/.test(origin) ? undefined : [origin, op.source, target]
    case 'attachNew':
      return [origin, target]
    case 'makeDirectory':
    case 'makeReadOnly':
      return [origin, target]
    case 'writeData':
      return [origin, String(op.descriptor), target]
    case 'changeMode':
      return [origin, op.mode.toString(8).padStart(4, '0'), target]
    case 'makeLink':
      return [origin, op.to, target]
    case 'attachOverlay': {
      const layers = [...op.lower].reverse().flatMap((layer) => ['--overlay-src', layer])
      return [...layers, origin, ...(op.upper ? [op.upper, op.work] : []), target]
    }
    default:
      return undefined
  }
}
