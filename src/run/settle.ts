// SPDX-License-Identifier: Apache-2.0
// Good manners on a machine that systemd runs: before its first job the CLI's process goes into a scope of its own.
import { accessSync, constants, existsSync } from 'node:fs'
import { HutchError } from '../errors.ts'
import { type Host, readHost, settleHost } from '../host/host.ts'
import { leafName } from '../host/parent.ts'
import type { Spec } from '../plan/spec.ts'
import { enterScope, isSystemdTree } from '../systemd/scope.ts'
import { enclosingScope, isBelowUnit } from '../systemd/unit.ts'

/** What of a run matters here. */
type Wants = Pick<Spec, 'limits' | 'parent' | 'evacuate'>

/**
 * Moves this process into a scope where its jobs need one. Gives a note when root's jobs have to do without.
 * @throws SYSTEMD_*, CGROUP_REFUSED
 */
export async function settle(wants: Wants): Promise<string | undefined> {
  if (wants.parent !== undefined || !existsSync('/run/systemd/system')) return undefined
  const host = readHost()
  if (host.home !== undefined || !isSystemdTree(host)) return undefined
  const own = host.unified!.own
  const scope = enclosingScope(own)
  if (scope !== undefined && own === `${scope}/${leafName}` && isWritable(scope)) {
    settleHost(scope)
    return undefined
  }
  if (!needsScope(host, own, wants)) return undefined
  try {
    await enterScope()
    return undefined
  } catch (error) {
    if (host.uid !== 0 || !HutchError.is(error) || error.code !== 'SYSTEMD_UNREACHABLE') throw error
    return `${error.message}\n  so the job's group stands at the root of the tree, beside systemd's own`
  }
}

/** Root's jobs must not stand at the root of systemd's tree; a user's need a group only for limits, and none where one was already divided up. */
function needsScope(host: Host, own: string, wants: Wants): boolean {
  if (host.uid === 0) return true
  return wants.limits.length > 0 && !isBelowUnit(own) && !(wants.evacuate && isWritable(own))
}

function isWritable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK)
    return true
  } catch {
    return false
  }
}
