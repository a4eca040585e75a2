// SPDX-License-Identifier: Apache-2.0
// Parses the options that limit a whole run into a part of its Spec: CPU time, extra time and output size. Called by
// options.ts; pure.

import { fail } from '../errors/errors.ts'
import { parseDuration, parseSize } from '../text/units.ts'
import { specFrontends } from './frontends.ts'
import type { SpecFrontendName } from './spec.ts'

/** Options that limit a run as a whole. */
export interface BudgetOptions {
  /**
   * CPU time of all processes together, user and system, in milliseconds or as text such as `'2s'`. If the job exceeds the limit, hutch
   * kills it. No limit by default.
   */
  cpuTime?: number | string
  /** Additional CPU time before hutch kills a job that exceeded `cpuTime`, to measure its real need. In milliseconds or as text; 0 by default. */
  extraTime?: number | string
  /**
   * Maximum size of stdout, and separately of stderr, in bytes or as text such as `'1M'`. If the job exceeds the limit, hutch kills it. No
   * limit by default.
   */
  maxOutput?: number | string
}

/** The parsed limits of a whole run. An absent field means no limit. */
export interface BudgetSpec {
  cpuTimeMs?: number
  extraTimeMs?: number
  maxOutput?: number
  /** True if the output limit comes from the sandbox preset. It then applies only to pipes, not to a terminal or a file. */
  capsPipes?: boolean
}

/** Parses the options that limit a run as a whole. @throws OPTION_INVALID, OPTION_CONFLICT */
export function parseBudgets(
  options: BudgetOptions,
  nameOf: (key: keyof BudgetOptions) => string,
  frontend: SpecFrontendName,
): BudgetSpec {
  const time = (key: 'cpuTime' | 'extraTime') => {
    const value = options[key]
    const ms = value === undefined ? 0 : parseDuration(value, specFrontends[frontend].timeUnit)
    if (ms !== undefined) return ms
    throw fail('OPTION_INVALID', {
      name: nameOf(key),
      value,
      accepted: 'a time such as 10s, 500ms or 2m',
    })
  }
  const cpuTimeMs = time('cpuTime')
  const extraTimeMs = time('extraTime')
  if (extraTimeMs > 0 && cpuTimeMs === 0)
    throw fail('OPTION_CONFLICT', {
      name: nameOf('extraTime'),
      why: 'this option extends a CPU time limit, and no such limit is given',
      remedy: `give ${nameOf('cpuTime')}, too`,
    })
  const maxOutput = options.maxOutput === undefined ? 'max' : parseSize(options.maxOutput)
  if (maxOutput === undefined)
    throw fail('OPTION_INVALID', {
      name: nameOf('maxOutput'),
      value: options.maxOutput,
      accepted: 'a size such as 64K, 1M or max',
    })
  return {
    ...(cpuTimeMs > 0 && { cpuTimeMs }),
    ...(extraTimeMs > 0 && { extraTimeMs }),
    ...(maxOutput !== 'max' && { maxOutput }),
  }
}
