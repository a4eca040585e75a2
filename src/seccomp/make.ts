// SPDX-License-Identifier: Apache-2.0
// What is asked for → what makes its filter, once it is known what the command keeps.
import { compileFilter } from './compile.ts'
import { defaultProfile } from './default.ts'
import { findCompiled } from './own.ts'
import { parseProfile, parseProfileText } from './parse.ts'
import type { Facts, Filter, Profile } from './profile.ts'
import { strictProfile } from './strict.ts'

/** Makes it from what a plan knows. @throws SECCOMP_TOO_LARGE */
export type FilterMaker = (facts: Omit<Facts, 'machine'>) => Filter

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
