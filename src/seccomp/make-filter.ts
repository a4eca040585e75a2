// SPDX-License-Identifier: Apache-2.0
// Creates functions that compile a requested seccomp profile as soon as the command's capabilities are known.

import { findCompiled } from './builtin.ts'
import { compileFilter } from './compile.ts'
import { defaultProfile } from './default.ts'
import type { RefusedCall } from './notification.ts'
import { parseProfile, parseProfileText } from './parse.ts'
import type { Profile, ProfileFacts, SeccompFilter } from './profile.ts'
import { strictProfile } from './strict.ts'

/**
 * Compiles the filter from the facts of a plan. `reader` reads the calls that the filter reports, if there is a report.
 *
 * @throws SECCOMP_TOO_LARGE
 */
export type FilterMaker = ((facts: Omit<ProfileFacts, 'machine'>) => SeccompFilter) & { reader?: CallReader }

/** The system calls that a job's filter reported. */
export interface Calls {
  refused: RefusedCall[]
  /** Number of refused calls in addition to those that are listed. */
  others: number
  /** The profile that a run with `learn` needed, in OCI form. */
  learned?: object
}

/**
 * Reads the notifications about a job's system calls. `which` is the kind of the notification, as in native/node/job.h.
 * Returns a refused call if it is reported for the first time.
 */
export interface CallReader {
  readonly calls: Calls
  take(which: number, bytes: Buffer): RefusedCall | undefined
}

/** Returns a function that compiles one of hutch's own profiles. */
export function makeOwn(profile: 'default' | 'strict', origin: string, machine: string): FilterMaker {
  return (known) => {
    const facts = { ...known, machine }
    return (
      findCompiled(profile, facts.machine, facts.capabilities) ??
      compileFilter(profile === 'strict' ? strictProfile : defaultProfile, facts, origin)
    )
  }
}

/**
 * Returns a function that compiles a user's profile, which is given as JSON text or as an object.
 *
 * @throws SECCOMP_PROFILE_INVALID
 */
export function makeForeign(
  profile: { text: string } | { value: unknown; listens?: true },
  origin: string,
  machine: string,
): FilterMaker {
  const parsed: Profile =
    'text' in profile ? parseProfileText(profile.text, origin) : parseProfile(profile.value, origin, profile.listens)
  return (known) => compileFilter(parsed, { ...known, machine }, origin)
}
