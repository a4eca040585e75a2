// SPDX-License-Identifier: Apache-2.0
// Converts a path inside a job's root directory to a path on the host, using the mount operations of the job. Pure.

import type { Op } from '../ops/ops.ts'
import { resolve } from '../system/paths.ts'
import { isBelow } from '../text/paths.ts'

/** Returns the path on the host. Returns undefined if the file exists only inside the job. Does not follow symbolic links. */
export function hostPath(steps: readonly Op[], path: string): string | undefined {
  if (!path.startsWith('/')) return undefined
  let found: string | undefined = path
  for (const step of steps) {
    const target = targetOf(step)
    if (target === '' || !isBelow(path, target)) continue
    const copied = step.op === 'openRoot' || step.op === 'attachTree' || step.op === 'attachSent'
    found = copied ? below(resolve(step.source), target === '/' ? path : path.slice(target.length)) : undefined
  }
  return found
}

/** Returns the path at which an operation mounts something. Returns '' if the operation mounts nothing. */
function targetOf(step: Op): string {
  if (step.op === 'openRoot' || step.op === 'emptyRoot') return '/'
  return step.op.startsWith('attach') && 'target' in step ? step.target : ''
}

function below(source: string, rest: string): string {
  return `${source}${rest}`.replace(/\/+/g, '/').replace(/(.)\/$/, '$1')
}
