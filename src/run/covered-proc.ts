// SPDX-License-Identifier: Apache-2.0
// Explains a /proc that a container engine has masked: in a user namespace the kernel then mounts no new one. Used when a start has failed.

import { fail, type HutchError } from '../errors/errors.ts'
import type { Op } from '../ops/ops.ts'
import { readFileSync } from '../system/files.ts'

/** Returns the error of a proc mount that was refused for what covers parts of /proc, or undefined. */
export function explainCoveredProc(op: Op, errno: string, origin: string): HutchError | undefined {
  if (errno !== 'EPERM' || !((op.op === 'mount' || op.op === 'attachNew') && op.type === 'proc')) return undefined
  const covers = mountsBelowProc()
  if (covers.length === 0) return undefined
  return fail('PROC_COVERED', { path: op.target, origin, errno, covers })
}

/** Mount points below /proc: the fifth field of proc_pid_mountinfo(5). */
function mountsBelowProc(): string[] {
  try {
    const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
    return [...new Set(lines.map((line) => line.split(' ')[4] ?? '').filter((path) => path.startsWith('/proc/')))]
  } catch {
    return []
  }
}
