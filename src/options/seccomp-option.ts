// SPDX-License-Identifier: Apache-2.0
// Parses the options for system call filters: `seccomp` (a profile by name, a file, or a profile object),
// `seccompReport` and `learn`. Called by options.ts; pure.

import { fail, quote } from '../errors/errors.ts'
import type { FilterSource } from '../seccomp/load-profile.ts'
import { nearest } from '../text/nearest.ts'
import { optionName } from './names.ts'

const words = ['default', 'strict', 'none']
const accepted = 'default, strict, none, or a file with a profile in JSON'

/**
 * The filter of a job with its own root directory, unless the caller names one; as in Docker. Without a filter, root in
 * the job could use everything that the kernel allows to user 0 without a capability.
 */
const containedSeccomp: FilterSource = { own: 'default', comesWith: 'rootfs' }

/**
 * Returns the part of a Spec about filters. `requested` are the caller's own options; `options` also contain those of the
 * sandbox preset.
 *
 * @throws OPTION_INVALID, OPTION_CONFLICT
 */
export function parseSeccompOptions(
  options: SeccompOptions & { rootfs?: unknown },
  requested: SeccompOptions,
  readOption: ReadOption,
  nameOf: NameOf,
): Filtering {
  const contained = options.seccomp === undefined && options.rootfs !== undefined
  const seccomp = contained ? containedSeccomp : parseSeccomp(options.seccomp, nameOf('seccomp'))
  const learn = parseLearn(requested, readOption, nameOf)
  const seccompReport = parseReport(options, seccomp !== undefined, readOption, nameOf)
  return {
    ...(seccomp && !learn && { seccomp }),
    ...(seccompReport && { seccompReport }),
    ...(learn && { learn }),
  }
}

/** Parses the value of `seccomp`. Returns undefined if the job has no filter. @throws OPTION_INVALID */
export function parseSeccomp(value: unknown, name: string): FilterSource | undefined {
  if (value === undefined || value === 'none') return undefined
  if (value === 'default' || value === 'strict') return { own: value }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { profile: value }
  if (typeof value !== 'string' || value === '' || value.includes('\0'))
    throw fail('OPTION_INVALID', { name, value, accepted })
  const near = /[./]/.test(value) ? undefined : nearest(value, words)
  if (near !== undefined)
    throw fail('OPTION_INVALID', {
      name,
      value,
      why: 'there is no such profile',
      accepted: `${near}? (a file of that name is ./${value})`,
    })
  return { file: value }
}

/** Returns how errors name the filter's profile. */
export function seccompOrigin(wish: FilterSource, frontend: 'cli' | 'library'): string {
  const name = optionName('seccomp', frontend)
  if ('own' in wish && wish.comesWith) return `${name} ${wish.own} (${optionName('rootfs', frontend)})`
  return 'profile' in wish ? name : `${name} ${'own' in wish ? wish.own : quote(wish.file)}`
}

interface Filtering {
  seccomp?: FilterSource
  seccompReport?: true
  learn?: true
}
interface SeccompOptions {
  seccomp?: unknown
  seccompReport?: unknown
  learn?: unknown
}
type NameOf = (key: 'seccomp' | 'seccompReport' | 'learn') => string
type ReadOption = (
  key: 'seccompReport' | 'learn',
  accepted: string,
  read: (value: unknown) => boolean | undefined,
) => boolean | undefined
const readBoolean = (value: unknown) => (typeof value === 'boolean' ? value : undefined)

/**
 * Parses `seccompReport`. Returns true if refused calls are reported. Refuses the option without a filter.
 *
 * @throws OPTION_INVALID, OPTION_CONFLICT
 */
function parseReport(
  options: SeccompOptions,
  filters: boolean,
  readOption: ReadOption,
  nameOf: NameOf,
): true | undefined {
  if (!readOption('seccompReport', 'true or false', readBoolean)) return undefined
  if (options.learn)
    throw fail('OPTION_CONFLICT', {
      name: nameOf('seccompReport'),
      why: `${nameOf('learn')} refuses nothing to report`,
      remedy: 'give one of them',
    })
  if (!filters)
    throw fail('OPTION_CONFLICT', {
      name: nameOf('seccompReport'),
      why: 'there is no filter, so no system call is refused',
      remedy: `add ${nameOf('seccomp')}: default, strict, or a file`,
    })
  return true
}

/**
 * Parses `learn`. Returns true if it is given. Refuses a filter together with `learn`, because it would have no effect.
 *
 * @throws OPTION_INVALID, OPTION_CONFLICT
 */
function parseLearn(requested: SeccompOptions, readOption: ReadOption, nameOf: NameOf): true | undefined {
  if (!readOption('learn', 'true or false', readBoolean)) return undefined
  if (requested.seccomp !== undefined && requested.seccomp !== 'none')
    throw fail('OPTION_CONFLICT', {
      name: nameOf('learn'),
      why: `a run with this option refuses no system call, so ${nameOf('seccomp')} would have no effect`,
      remedy: `leave out ${nameOf('seccomp')}, and use it with the learnt profile`,
    })
  return true
}
