// SPDX-License-Identifier: Apache-2.0
// Converts linux.seccomp of config.json to a profile for src/seccomp. Pure.
import { isSyscall } from '../../seccomp/arch.ts'
import type { FilterSource } from '../../seccomp/load-profile.ts'
import type { OciLinux } from './linux-table.ts'

/**
 * Converts a profile. System calls that no supported instruction set has are left out, as in runc. The profiles of
 * callers are often newer than hutch.
 */
export function toFilter(seccomp: NonNullable<OciLinux['seccomp']>): FilterSource {
  const { listenerPath: _, listenerMetadata: __, syscalls = [], ...rest } = seccomp
  return {
    profile: {
      ...rest,
      syscalls: syscalls.flatMap(({ names, args = [], ...rule }) => {
        const known = names.filter(isSyscall)
        if (known.length === 0) return []
        return [
          {
            ...rule,
            names: known,
            // the reader takes numbers of 64 bits as text
            args: args.map(({ value, valueTwo = 0n, ...condition }) => ({
              ...condition,
              value: String(value),
              valueTwo: String(valueTwo),
            })),
          },
        ]
      }),
    },
  }
}
