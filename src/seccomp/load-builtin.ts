// SPDX-License-Identifier: Apache-2.0
// Loads the precompiled filter of one of hutch's own profiles for the default capabilities of containers, without tables or compiler.
import { fail } from '../errors/errors.ts'
import { findCompiled, machineOfNode } from './builtin.ts'
import type { FilterMaker } from './make-filter.ts'

/** Returns a function that makes the filter when the command's capabilities are known. @throws HOST_UNSUPPORTED */
export function readOwnFilter(profile: 'default' | 'strict'): FilterMaker {
  return ({ capabilities }) => {
    const machine = machineOfNode[process.arch] ?? ''
    // another set of capabilities, as in a joined user namespace, counts as none
    const filter = findCompiled(profile, machine, capabilities) ?? findCompiled(profile, machine, [])
    if (!filter) throw fail('HOST_UNSUPPORTED', { why: `hutch has no system call filter for ${process.arch}` })
    return filter
  }
}
