// SPDX-License-Identifier: Apache-2.0
// Loads the precompiled filter of one of hutch's own seccomp profiles, without loading the tables of calls and the
// compiler.
import { fail } from '../errors/errors.ts'
import { findCompiled, machineOfNode } from './builtin.ts'
import type { FilterMaker } from './make-filter.ts'

/** Returns a function that finds the filter as soon as the planner knows the command's capabilities. @throws HOST_UNSUPPORTED */
export function readOwnFilter(profile: 'default' | 'strict'): FilterMaker {
  return ({ capabilities }) => {
    const machine = machineOfNode[process.arch] ?? ''
    // for a set of capabilities without a precompiled filter, as in a joined user namespace, use the filter for no capabilities
    const filter = findCompiled(profile, machine, capabilities) ?? findCompiled(profile, machine, [])
    if (!filter) throw fail('HOST_UNSUPPORTED', { why: `hutch has no system call filter for ${process.arch}` })
    return filter
  }
}
