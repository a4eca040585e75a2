// SPDX-License-Identifier: Apache-2.0
// Good manners on a machine that systemd runs: before its first job the CLI's process goes into a scope of its own.
import { HutchError } from '../errors/errors.ts'
import { type Host, leafName, readHost, settleHost } from '../host/host.ts'
import type { Spec } from '../options/spec.ts'
import { approachGroup } from './delegated-group.ts'
import { isWritable } from './failure.ts'
import { enterScopeTo, isSystemdMachine, isSystemdTree } from './scope.ts'
import { enclosingScope, enclosingSlice, isBelowUnit, scopeName } from './unit.ts'

/** What of a run matters here. */
type Wants = Pick<Spec, 'limits' | 'parent' | 'evacuate'>

/**
 * Moves this process into a scope where its jobs need one. Gives a note when root's jobs have to do without.
 * @throws SYSTEMD_*, CGROUP_REFUSED
 */
export async function settle(wants: Wants): Promise<string | undefined> {
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
    return `${error.message}\n  so the job's group is at the root of the tree, beside systemd's groups`
  }
}

/** Only looks: plans made from now on are those of a process in the scope that `settle` would ask for. Gives that scope's group. */
export function pretendSettled(wants: Wants): string | undefined {
  const host = findUnsettled(wants)
  if (!host) return undefined
  const home = `${enclosingSlice(host.unified!, host.uid)}/${scopeName(host.owner)}`
  settleHost(home)
  return home
}

/** This host, when a scope has to be asked for. In a leaf beside the jobs of another hutch process, its scope does. */
function findUnsettled(wants: Wants): Host | undefined {
  if (wants.parent !== undefined || !isSystemdMachine()) return undefined
  const host = readHost()
  if (host.home !== undefined || !isSystemdTree(host)) return undefined
  const own = host.unified!.own
  const scope = enclosingScope(own)
  if (scope !== undefined && own === `${scope}/${leafName}` && isWritable(scope)) settleHost(scope)
  else if (needsScope(host, own, wants)) return host
  return undefined
}

/**
 * Root's jobs must not stand in the units of systemd; a user's need a group only for limits; and neither where one was already divided up.
 * Root in a user namespace, whom the tree does not belong to, is such a user.
 */
function needsScope(host: Host, own: string, wants: Wants): boolean {
  if (isBelowUnit(own)) return false
  if (host.uid === 0 && isWritable(host.unified!.mount)) return true
  return wants.limits.length > 0 && !(wants.evacuate && isWritable(own))
}
