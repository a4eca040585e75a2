// SPDX-License-Identifier: Apache-2.0
// Where a path inside a job's root is on the host, by the steps that put the root together. Pure.

import type { Op } from '../ops/ops.ts'
import { resolve } from '../system/paths.ts'
import { isBelow } from '../text/paths.ts'

/** Returns the path on the host; undefined if what is there exists inside alone. Links on the way are not followed. */
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

/** Where a step attaches something; '' if it does not. */
function targetOf(step: Op): string {
  if (step.op === 'openRoot' || step.op === 'emptyRoot') return '/'
  return step.op.startsWith('attach') && 'target' in step ? step.target : ''
}

function below(source: string, rest: string): string {
  return `${source}${rest}`.replace(/\/+/g, '/').replace(/(.)\/$/, '$1')
}
