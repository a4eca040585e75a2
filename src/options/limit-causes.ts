// SPDX-License-Identifier: Apache-2.0
// Finds the limits of a job by which the kernel refused one of the job's operations. The rows of src/ops/ list the limits for each errno.
// Pure.
import type { LimitCause } from '../ops/row.ts'
import { formatSize, parseSize } from '../text/units.ts'
import { optionName } from './names.ts'
import type { Spec } from './spec.ts'

type Limited = Pick<Spec, 'limits' | 'privileges' | 'frontend'>

/**
 * Returns the limits of `causes` that the job has, in words, and the remedy. Returns undefined if the job has none. A
 * limit of a preset is far above what a start needs, so it is never a cause.
 */
export function explainByLimits(
  causes: readonly LimitCause[] | undefined,
  spec: Limited,
): readonly [why: string, remedy: string] | undefined {
  const found = (causes ?? []).flatMap((cause) => findLimit(cause, spec) ?? [])
  if (found.length === 0) return undefined
  return [found.map(({ why }) => why).join(', '), found.map(({ remedy }) => remedy).join(', or ')]
}

function findLimit(cause: LimitCause, spec: Limited): { why: string; remedy: string } | undefined {
  if ('ulimit' in cause) {
    const limit = spec.privileges.ulimits.find(
      ({ name, soft, atMost }) => name === cause.ulimit && soft >= 0 && !atMost,
    )
    const option = optionName(`ulimits.${cause.ulimit}`, spec.frontend)
    return limit && { why: `${option} is ${limit.soft}`, remedy: `raise ${option}` }
  }
  const min = Number(parseSize(cause.min))
  const limit = spec.limits.find(({ file, value }) => file === cause.file && Number(value) < min)
  return (
    limit && {
      why: `${limit.origin} is ${formatSize(Number(limit.value))}: less than the kernel needs for a process`,
      remedy: `give ${limit.origin.split(' ')[0]} at least ${cause.min}`,
    }
  )
}
