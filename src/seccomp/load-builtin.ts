// SPDX-License-Identifier: Apache-2.0
// The filter of one of hutch's own profiles for what containers usually keep: it was compiled beforehand, so a start reads neither
// tables nor the compiler.
import { fail } from '../errors/errors.ts'
import { findCompiled, machineOfNode } from './builtin.ts'
import type { FilterMaker } from './make-filter.ts'

/** Its filter, as soon as it is known what the command keeps. @throws HOST_UNSUPPORTED */
export function readOwnFilter(profile: 'default' | 'strict'): FilterMaker {
  return ({ capabilities }) => {
    const machine = machineOfNode[process.arch] ?? ''
    // an unusual set, as in a joined user namespace: as if it kept none
    const filter = findCompiled(profile, machine, capabilities) ?? findCompiled(profile, machine, [])
    if (!filter) throw fail('HOST_UNSUPPORTED', { why: `hutch has no system call filter for ${process.arch}` })
    return filter
  }
}
