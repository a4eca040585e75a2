// SPDX-License-Identifier: Apache-2.0
// What is asked for → what makes its filter, once it is known what the command keeps.

import { findCompiled } from './builtin.ts'
import { compileFilter } from './compile.ts'
import { defaultProfile } from './default.ts'
import type { RefusedCall } from './notification.ts'
import { parseProfile, parseProfileText } from './parse.ts'
import type { Facts, Filter, Profile } from './profile.ts'
import { strictProfile } from './strict.ts'

/** Makes it from what a plan knows. @throws SECCOMP_TOO_LARGE */
export type FilterMaker = ((facts: Omit<Facts, 'machine'>) => Filter) & { reader?: CallReader }

/** What came of the notices of one job. */
export interface Calls {
  refused: RefusedCall[]
  /** Refused calls of further kinds, which are not told one by one. */
  others: number
  /** A profile in the OCI's form. */
  learned?: object
}

/** Takes the notices of one job: which kind, as native/node/job.h has it, and its bytes. A new kind of refusal comes back. */
export interface CallReader {
  readonly calls: Calls
  take(which: number, bytes: Buffer): RefusedCall | undefined
}

/** One of hutch's own. */
export function makeOwn(profile: 'default' | 'strict', origin: string, machine: string): FilterMaker {
  return (known) => {
    const facts = { ...known, machine }
    return (
      findCompiled(profile, facts.machine, facts.capabilities) ??
      compileFilter(profile === 'strict' ? strictProfile : defaultProfile, facts, origin)
    )
  }
}

/** A text in JSON, or a value. @throws SECCOMP_PROFILE_INVALID */
export function makeForeign(
  profile: { text: string } | { value: unknown },
  origin: string,
  machine: string,
): FilterMaker {
  const parsed: Profile =
    'text' in profile ? parseProfileText(profile.text, origin) : parseProfile(profile.value, origin)
  return (known) => compileFilter(parsed, { ...known, machine }, origin)
}
