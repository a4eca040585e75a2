// SPDX-License-Identifier: Apache-2.0
// Decides which namespaces clone3 creates, and whether hutch-init keeps running. Used by the compilers of a plan; pure.
import { isKernelFrom } from '../host/host.ts'
import type { NamespaceKind } from '../namespaces/namespace.ts'
import { specFrontends } from '../options/frontends.ts'
import type { Plan } from './plan.ts'

/**
 * Returns true if the job joins an existing user namespace. Its other new namespaces must belong to that one, so they
 * are created after entering it.
 */
function joinsUser({ spec }: Plan): boolean {
  return spec.joins.some(({ kind }) => kind === 'user')
}

/**
 * Returns true if the child creates a container's user namespace, and all others after it. Before that, the child needs
 * the caller's rights to join other namespaces or to raise limits.
 */
function entersUserLate({ spec, isolate }: Plan): boolean {
  const { ulimits, oomScoreAdj } = spec.privileges
  const needsRights = spec.joins.length > 0 || ulimits.length > 0 || oomScoreAdj !== undefined
  return spec.container !== undefined && isolate.includes('user') && needsRights
}

/**
 * Returns the kinds of namespaces that clone3 creates; the child creates the rest. The root of a cgroup namespace is
 * the group of its creator. If v1 groups are joined after the clone, the child must therefore create it. A time
 * namespace with offsets is also created by the child.
 */
export function clonedKinds(plan: Plan): NamespaceKind[] {
  if (joinsUser(plan) || entersUserLate(plan)) return []
  const joinsLater = [...plan.groups, ...plan.entered].some(({ controller }) => controller !== '')
  return plan.isolate.filter((kind) => (kind !== 'time' || clonesTime(plan)) && (kind !== 'cgroup' || !joinsLater))
}

/**
 * Returns true if the kernel counts a refused fork in the group whose limit refused it (v2 since Linux 6.11). Older
 * kernels count it in the group of the process.
 */
export function countsForksByLevel({ layout, kernel }: Plan): boolean {
  return layout === 'v2' && isKernelFrom(kernel, [6, 11])
}

/**
 * Returns true if clone3 creates the time namespace, because it needs no offsets. The child enters it at its exec,
 * since Linux 6.3.
 */
export function clonesTime({ spec, isolate, kernel }: Plan): boolean {
  return isolate.includes('time') && spec.timeOffsets === undefined && isKernelFrom(kernel, [6, 3])
}

/**
 * Returns true if the child joins its v1 groups only after its mounts, for which it needs little memory. Meanwhile
 * hutch creates the groups.
 */
export function joinsLate({ groups, userNamespace, spec }: Plan): boolean {
  const own = userNamespace !== undefined && spec.root?.directory !== undefined && !spec.container
  // the v2 group must exist at the clone, so that signals can reach the child at any time
  const born = groups.some(({ controller }) => controller === '')
  return own && born && groups.some(({ controller }) => controller !== '')
}

/** Returns 1 if hutch-init keeps running: as PID 1, or to adopt orphans of a job without a group, so that signals reach them. */
export function reaps(plan: Plan): number {
  return plan.spec.init && (plan.isolate.includes('pid') || adoptsOrphans(plan)) ? 1 : 0
}

/**
 * Returns true if hutch-init must adopt orphans: the job has no group through which they can be stopped. `hutch run`
 * stops a job only at a limit; the library can stop it at any time.
 */
function adoptsOrphans({ groups, spec }: Plan): boolean {
  const stops = !specFrontends[spec.frontend].oneJob || spec.timeoutMs > 0 || spec.maxOutput !== undefined
  return groups.length === 0 && stops && spec.rest !== 'nobody' && !spec.joins.some(({ kind }) => kind === 'pid')
}

/**
 * Returns true if hutch-init stays outside the job's pid namespace. A process that joins a pid namespace, or creates
 * one by unshare, does not enter it; only its children do.
 */
export function staysOutside(plan: Plan): boolean {
  return !plan.spec.container && isBehindPid(plan)
}

/**
 * Returns true if another child of this process becomes the command, because the first one is outside the pid
 * namespace. The parent of a container's process must be its creator, so no process stays outside.
 */
export function continuesAsSibling(plan: Plan): boolean {
  const late = plan.isolate.includes('pid') && !clonedKinds(plan).includes('pid')
  return plan.spec.container !== undefined && (late || isBehindPid(plan))
}

function isBehindPid(plan: Plan): boolean {
  return plan.spec.joins.some(({ kind }) => kind === 'pid') || (joinsUser(plan) && plan.isolate.includes('pid'))
}
