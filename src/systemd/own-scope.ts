// SPDX-License-Identifier: Apache-2.0
// Moves the CLI's process into a scope of its own before its first job, as systemd's delegation rules require.
import { HutchError, nameOptions } from '../errors/errors.ts'
import type { OptionNames } from '../errors/remedy-text.ts'
import { type Host, leafName, readHost, setHome } from '../host/host.ts'
import { approachGroup } from './delegated-group.ts'
import { isWritable } from './failure.ts'
import { enterScopeTo, isSystemdMachine, isSystemdTree } from './scope.ts'
import { enclosingScope, enclosingSlice, isBelowUnit, scopeName } from './unit.ts'

/** The properties of a run that decide whether it needs a scope. */
interface Wants {
  limits: readonly { origin: string }[]
  parent?: string
  evacuate?: boolean
}

/**
 * Moves this process into a scope if its jobs need one. Returns a note if root's jobs must work without.
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

/** Previews: later plans are made as if this process were in its scope. Changes nothing. Returns the scope's group. */
export function previewScope(wants: Wants): string | undefined {
  const host = findUnsettled(wants)
  if (!host) return undefined
  const home = `${enclosingSlice(host.unified!, host.uid)}/${scopeName(host.owner)}`
  setHome(home)
  return home
}

/** Returns the host if a scope is needed. A process in a leaf beside jobs of another hutch uses that hutch's scope. */
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
 * Returns whether jobs need a scope. Root's jobs must not be in systemd's units. A user's jobs need a group only for limits.
 * Neither needs one in a delegated group. Root in a user namespace that does not own the tree counts as a user.
 */
function needsScope(host: Host, own: string, wants: Wants): boolean {
  if (isBelowUnit(own)) return false
  if (host.uid === 0 && isWritable(host.unified!.mount)) return true
  return wants.limits.length > 0 && !(wants.evacuate && isWritable(own))
}
