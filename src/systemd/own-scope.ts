// SPDX-License-Identifier: Apache-2.0
// Moves the process of the command line into a systemd scope of its own before its first job. systemd's rules for
// delegation require this.
import { HutchError, nameOptions } from '../errors/errors.ts'
import type { OptionNames } from '../errors/remedy-text.ts'
import { type Host, leafName, readHost, setHome } from '../host/host.ts'
import { approachGroup } from './delegated-group.ts'
import { isWritable } from './failure.ts'
import { enterScopeTo, isSystemdMachine, isSystemdTree } from './scope.ts'
import { enclosingScope, enclosingSlice, isBelowUnit, scopeName } from './unit.ts'

/** The properties of a run that decide whether it needs a systemd scope. */
interface Wants {
  limits: readonly { origin: string }[]
  parent?: string
  evacuate?: boolean
}

/**
 * Moves this process into a systemd scope if its jobs need one. Returns a note if root's jobs must run without a scope.
 *
 * @throws SYSTEMD_*, CGROUP_REFUSED
 */
export async function ensureScope(wants: Wants, names: OptionNames): Promise<string | undefined> {
  if (wants.parent !== undefined && isSystemdMachine())
    await approachGroup(`${readHost().unified?.mount}/${wants.parent}`)
  const host = findUnsettled(wants)
  if (!host) return undefined
  const origins = wants.limits.map((limit) => limit.origin).join(', ')
  try {
    await enterScopeTo(`get a group for ${origins || 'the job'}`)
    return undefined
  } catch (error) {
    if (host.uid !== 0 || !HutchError.is(error) || error.code !== 'SYSTEMD_UNREACHABLE') throw error
    return `${nameOptions(error, names).message}\n  so the job's group is at the root of the tree, beside systemd's groups`
  }
}

/** Makes later plans as if this process were already in its scope, for --explain. Changes nothing. Returns the scope's group. */
export function previewScope(wants: Wants): string | undefined {
  const host = findUnsettled(wants)
  if (!host) return undefined
  const home = `${enclosingSlice(host.unified!, host.uid)}/${scopeName(host.owner)}`
  setHome(home)
  return home
}

/**
 * Returns the host's facts if this process must still move into a scope. If it is in the leaf group of another hutch's
 * scope, its jobs use that scope.
 */
function findUnsettled(wants: Wants): Host | undefined {
  if (wants.parent !== undefined || !isSystemdMachine()) return undefined
  const host = readHost()
  if (host.home !== undefined || !isSystemdTree(host)) return undefined
  const own = host.unified!.own
  const scope = enclosingScope(own)
  if (scope !== undefined && own === `${scope}/${leafName}` && isWritable(scope)) setHome(scope)
  else if (needsScope(host, own, wants)) return host
  return undefined
}

/**
 * Returns true if jobs need a systemd scope. root's jobs need one, because they must not be in the groups of systemd's
 * units. Other users' jobs need one only for limits. In a delegated group, no scope is needed. root in a user namespace
 * that does not own the tree counts as another user.
 */
function needsScope(host: Host, own: string, wants: Wants): boolean {
  if (isBelowUnit(own)) return false
  if (host.uid === 0 && isWritable(host.unified!.mount)) return true
  return wants.limits.length > 0 && !(wants.evacuate && isWritable(own))
}
