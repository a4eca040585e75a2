// SPDX-License-Identifier: Apache-2.0
// Turns the options for judging a program into their part of a Spec: CPU time, extra time, and output size.
import { fail } from '../errors/errors.ts'
import { parseDuration, parseSize } from '../text/units.ts'
import type { Door } from './spec.ts'

/** Options that limit a run as a whole. */
export interface JudgingOptions {
  /**
   * CPU time of all processes together, user and system: milliseconds, or a text such as `'2s'`. Beyond it the job is killed.
   */
  cpuTime?: number | string
  /** CPU time beyond `cpuTime` before the job is killed, to measure its real need. */
  extraTime?: number | string
  /** Maximum bytes of stdout, and separately of stderr, or a text such as `'1M'`. Beyond it the job is killed. */
  maxOutput?: number | string
}

/** The resulting budgets; absent means no limit. */
export interface JudgingSpec {
  cpuTimeMs?: number
  extraTimeMs?: number
  maxOutput?: number
  /** The limit of a sandbox: streams that do not go to hutch, such as a terminal, are not limited. */
  capsPipes?: boolean
}

/** @throws OPTION_INVALID, OPTION_CONFLICT */
export function parseJudging(
  options: JudgingOptions,
  say: (key: keyof JudgingOptions) => string,
  door: Door,
): JudgingSpec {
  const time = (key: 'cpuTime' | 'extraTime') => {
    const value = options[key]
    const ms = value === undefined ? 0 : parseDuration(value, door === 'cli' ? 1000 : 1)
    if (ms !== undefined) return ms
    throw fail('OPTION_INVALID', {
      name: say(key),
      value,
      accepted: 'a time such as 10s, 500ms or 2m',
    })
  }
  const cpuTimeMs = time('cpuTime')
  const extraTimeMs = time('extraTime')
  if (extraTimeMs > 0 && cpuTimeMs === 0)
    throw fail('OPTION_CONFLICT', {
      name: say('extraTime'),
      why: 'it extends a CPU time limit, and none is given',
      remedy: `give ${say('cpuTime')}, too`,
    })
  const maxOutput = options.maxOutput === undefined ? 'max' : parseSize(options.maxOutput)
  if (maxOutput === undefined)
    throw fail('OPTION_INVALID', {
      name: say('maxOutput'),
      value: options.maxOutput,
      accepted: 'a size such as 64K, 1M or max',
    })
  return {
    ...(cpuTimeMs > 0 && { cpuTimeMs }),
    ...(extraTimeMs > 0 && { extraTimeMs }),
    ...(maxOutput !== 'max' && { maxOutput }),
  }
}
