// SPDX-License-Identifier: Apache-2.0
// Explains why the kernel refused to mount a new /proc in a user namespace: a container engine has covered parts of the
// existing /proc. Called after a failed start; reads /proc.

import { fail, type HutchError } from '../errors/errors.ts'
import type { Op } from '../ops/ops.ts'
import { readFileSync } from '../system/files.ts'

/**
 * Returns the error for a mount of /proc that the kernel refused because other mounts cover parts of the existing
 * /proc. Returns undefined for any other operation or cause.
 */
export function explainCoveredProc(op: Op, errno: string, origin: string): HutchError | undefined {
  if (errno !== 'EPERM' || !((op.op === 'mount' || op.op === 'attachNew') && op.type === 'proc')) return undefined
  const covers = mountsBelowProc()
  if (covers.length === 0) return undefined
  return fail('PROC_COVERED', { path: op.target, origin, errno, covers })
}

/** Returns the mount points below /proc: the fifth field of proc_pid_mountinfo(5). */
function mountsBelowProc(): string[] {
  try {
    const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
    return [...new Set(lines.map((line) => line.split(' ')[4] ?? '').filter((path) => path.startsWith('/proc/')))]
  } catch {
    return []
  }
}
