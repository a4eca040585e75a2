// SPDX-License-Identifier: Apache-2.0
// Refuses limits with v1 names on a v2 host, and names the equivalent option. On v1, leaves out a sandbox's CPU quota
// that the groups above do not allow. Pure.

import { isLarger, type Share } from '../cgroup/v1/cpu-quota.ts'
import type { LimitWrite } from '../cgroup/v1/translate.ts'
import { type Equivalent, findEquivalent } from '../cgroup/v1/v1-on-v2.ts'
import { fail } from '../errors/errors.ts'
import { limitRows } from '../options/limits.ts'
import { optionWithValue } from '../options/names.ts'
import type { Spec } from '../options/spec.ts'

/** Refuses limits that use v1 names on a v2 host. @throws CGROUP_LIMIT_UNSUPPORTED */
export function refuseLegacyNames({ limits, frontend }: Spec): void {
  const beside = (file: string) => limits.find((limit) => limit.file === file)?.value
  for (const { file, value, origin } of limits) {
    const found = findEquivalent(file, value, beside)
    if (!found) continue
    throw fail('CGROUP_LIMIT_UNSUPPORTED', {
      file,
      origin,
      why: `${file} is a file of cgroup v1, and its controller is in cgroup v2 here`,
      remedy: `use ${limitWords(found, frontend)}`,
    })
  }
}

/** Returns the equivalent v2 limit as the user would type it. */
function limitWords({ file, value }: Equivalent, frontend: Spec['frontend']): string {
  const key = limitRows.find((row) => row.file === file && row.flag !== 'cpus')?.key ?? `limits.${file}`
  return optionWithValue(key, value ?? 'VALUE', frontend)!
}

/**
 * Returns the limits, without the sandbox's own CPU quota if that exceeds `share`, the quota of the groups above. v1
 * refuses a larger quota than theirs; v2 accepts it and applies the lower one.
 */
export function withinShare(limits: readonly LimitWrite[], share: Share | undefined): readonly LimitWrite[] {
  if (!share) return limits
  return limits.filter(({ file, value, origin }) => {
    const [quota, period] = value.split(' ')
    return file !== 'cpu.max' || !origin.endsWith('sandbox)') || !isLarger(Number(quota), Number(period), share)
  })
}
