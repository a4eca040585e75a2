// SPDX-License-Identifier: Apache-2.0
// Compiles the operations that reduce privileges. Their order is required: limits and priorities while they can still
// be raised, bounding set, ids, other capability sets, no_new_privs. Called by compile.ts; pure.
import type { Op } from '../ops/ops.ts'
import type { Plan } from './plan.ts'

/** Returns the operations that follow those for namespaces and precede the exec of the command. */
export function compilePrivileges(plan: Plan): Op[] {
  const { ids, capabilities, spec } = plan
  const { ulimits, nice, ioPriority, scheduler, newPrivileges } = spec.privileges
  const ops: Op[] = []
  if (scheduler) ops.push({ op: 'setScheduler', ...scheduler, origin: 'scheduler' })
  if (nice !== undefined) ops.push({ op: 'setNice', nice, origin: 'nice' })
  if (ioPriority !== undefined) ops.push({ op: 'setIoPriority', priority: ioPriority, origin: 'ioPriority' })
  for (const { resource, soft, hard, atMost } of ulimits)
    ops.push({ op: atMost ? 'boundLimit' : 'setLimit', resource, soft, hard, origin: 'ulimits' })
  // a second limit, in case hutch itself is stopped: one second later, the kernel ends each process by a signal that
  // cannot be caught
  if (spec.cpuTimeMs !== undefined) {
    const seconds = Math.ceil((spec.cpuTimeMs + (spec.extraTimeMs ?? 0)) / 1000) + 1
    ops.push({ op: 'boundLimit', resource: 0, soft: seconds, hard: seconds, origin: 'cpuTime' })
  }
  const origin = asksForCapabilities(plan)
  if (capabilities?.bounding !== undefined) ops.push({ op: 'dropBounding', keep: capabilities.bounding, origin })
  if (ids) {
    const keepCapabilities = capabilities && capabilities.permitted > 0 ? 1 : 0
    ops.push({ op: 'setUser', ...ids, keepCapabilities, origin: asksForIds(plan) })
  }
  if (capabilities) {
    const { permitted, effective = permitted, inheritable, ambient } = capabilities
    ops.push({ op: 'setCapabilities', effective, permitted, inheritable, ambient, origin })
  }
  // enter the directory as the command's user, so that a directory that only root may enter is refused
  if (spec.workdir !== undefined) ops.push({ op: 'changeDirectory', path: spec.workdir, origin: 'workdir' })
  if (!newPrivileges) ops.push({ op: 'noNewPrivileges', origin: 'newPrivileges' })
  // resolve the paths as the command's user, relative to its working directory
  for (const rule of spec.landlock ?? []) ops.push({ op: 'allowPath', ...rule, origin: 'landlock' })
  if (spec.landlock) ops.push({ op: 'restrictPaths', origin: 'landlock' })
  return ops
}

/**
 * Returns the option to name if capabilities cannot be set. This is the option that requests them, otherwise the one
 * for the root directory or the user namespace.
 */
function asksForCapabilities({ spec }: Plan): string {
  if (spec.privileges.capAdd.length > 0) return 'capAdd'
  if (spec.privileges.capDrop.length > 0) return 'capDrop'
  return spec.root?.directory === undefined ? 'isolate' : 'rootfs'
}

/** Returns the option to name if ids cannot be set: the one that requests them, otherwise the one for the user namespace. */
function asksForIds({ spec }: Plan): string {
  if (spec.user !== undefined) return 'user'
  if (spec.privileges.group !== undefined) return 'group'
  if (spec.privileges.groups !== undefined) return 'groups'
  if (spec.privileges.groupAdd !== undefined) return 'groupAdd'
  return spec.joins.length > 0 ? 'join' : 'isolate'
}
