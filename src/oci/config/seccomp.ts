// SPDX-License-Identifier: Apache-2.0
// Converts linux.seccomp of config.json to a profile for src/seccomp. Pure.
import { isSyscall } from '../../seccomp/arch.ts'
import type { FilterSource } from '../../seccomp/load-profile.ts'
import type { OciLinux } from './linux-table.ts'
import { refuseProperty } from './shape.ts'

type Seccomp = NonNullable<OciLinux['seccomp']>

const notify = 'SCMP_ACT_NOTIFY'

/**
 * Converts a profile. System calls that no supported instruction set has are left out, as in runc. The profiles of
 * callers are often newer than hutch.
 *
 * @throws OCI_CONFIG_INVALID
 */
export function toFilter(seccomp: Seccomp): FilterSource {
  const { listenerPath: _, listenerMetadata: __, ...rest } = seccomp
  const syscalls = knownCalls(seccomp)
  checkNotify(seccomp)
  const profile = {
    ...rest,
    syscalls: syscalls.map(({ args = [], ...rule }) => ({
      ...rule,
      // the reader takes numbers of 64 bits as text
      args: args.map(({ value, valueTwo = 0n, ...condition }) => ({
        ...condition,
        value: String(value),
        valueTwo: String(valueTwo),
      })),
    })),
  }
  return hasAgent(seccomp) ? { profile, listens: true } : { profile }
}

/** Returns true if an agent outside answers system calls. */
export function hasAgent(seccomp: Seccomp | undefined): seccomp is Seccomp {
  return seccomp !== undefined && knownCalls(seccomp).some(({ action }) => action === notify)
}

function knownCalls({ syscalls = [] }: Seccomp) {
  return syscalls.flatMap(({ names, ...rule }) => {
    const known = names.filter(isSyscall)
    return known.length === 0 ? [] : [{ names: known, ...rule }]
  })
}

/** Refuses what runc refuses. @throws OCI_CONFIG_INVALID */
function checkNotify(seccomp: Seccomp): void {
  const { defaultAction, listenerPath = '', syscalls = [] } = seccomp
  if (defaultAction === notify)
    throw refuseProperty(
      'linux.seccomp.defaultAction',
      notify,
      'SCMP_ACT_NOTIFY cannot be used as default action',
      'another action',
    )
  const write = syscalls.findIndex(({ names, action }) => action === notify && names.includes('write'))
  if (write >= 0)
    throw refuseProperty(
      `linux.seccomp.syscalls[${write}].action`,
      notify,
      'SCMP_ACT_NOTIFY cannot be used for the write syscall',
      'another action for write',
    )
  if (listenerPath === '' && hasAgent(seccomp))
    throw refuseProperty(
      'linux.seccomp.listenerPath',
      undefined,
      'seccomp listenerPath is not set, and SCMP_ACT_NOTIFY needs it',
      'the path of the socket of an agent',
    )
}
