// SPDX-License-Identifier: Apache-2.0
// Makes functions that compile a requested profile when the command's capabilities are known.

import { findCompiled } from './builtin.ts'
import { compileFilter } from './compile.ts'
import { defaultProfile } from './default.ts'
import type { RefusedCall } from './notification.ts'
import { parseProfile, parseProfileText } from './parse.ts'
import type { Profile, ProfileFacts, SeccompFilter } from './profile.ts'
import { strictProfile } from './strict.ts'

/** Makes the filter from the facts of a plan. @throws SECCOMP_TOO_LARGE */
export type FilterMaker = ((facts: Omit<ProfileFacts, 'machine'>) => SeccompFilter) & { reader?: CallReader }

/** The calls that a job's listener reported. */
export interface Calls {
  refused: RefusedCall[]
  /** Number of further refused calls that are not listed. */
  others: number
  /** The learned profile in OCI form. */
  learned?: object
}

/** Reads a job's notifications: the kind, as in native/node/job.h, and the bytes. Returns a refused call that is new. */
export interface CallReader {
  readonly calls: Calls
  take(which: number, bytes: Buffer): RefusedCall | undefined
}

/** Makes the filter of one of hutch's own profiles. */
export function makeOwn(profile: 'default' | 'strict', origin: string, machine: string): FilterMaker {
  return (known) => {
    const facts = { ...known, machine }
    return (
      findCompiled(profile, facts.machine, facts.capabilities) ??
      compileFilter(profile === 'strict' ? strictProfile : defaultProfile, facts, origin)
    )
  }
}

/** Makes the filter of a user's profile, a JSON text or a value. @throws SECCOMP_PROFILE_INVALID */
export function makeForeign(
  profile: { text: string } | { value: unknown },
  origin: string,
  machine: string,
): FilterMaker {
  const parsed: Profile =
    'text' in profile ? parseProfileText(profile.text, origin) : parseProfile(profile.value, origin)
  return (known) => compileFilter(parsed, { ...known, machine }, origin)
}
