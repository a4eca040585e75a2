// SPDX-License-Identifier: Apache-2.0
// Compiles the loss of privileges in the required order: limits and priorities while they can still be raised, bounding set, ids, other
// capability sets, no_new_privs. Called by compile.ts; pure.
import type { Op } from '../ops/ops.ts'
import type { Plan } from './plan.ts'

/** Returns the operations between the namespaces and the command. */
export function compilePrivileges(plan: Plan): Op[] {
  const { ids, capabilities, spec } = plan
  const { ulimits, nice, ioPriority, scheduler, newPrivileges } = spec.privileges
  const ops: Op[] = []
  if (scheduler) ops.push({ op: 'setScheduler', ...scheduler, origin: 'scheduler' })
  if (nice !== undefined) ops.push({ op: 'setNice', nice, origin: 'nice' })
  if (ioPriority !== undefined) ops.push({ op: 'setIoPriority', priority: ioPriority, origin: 'ioPriority' })
  for (const { resource, soft, hard, atMost } of ulimits)
    ops.push({ op: atMost ? 'boundLimit' : 'setLimit', resource, soft, hard, origin: 'ulimits' })
  // in case hutch itself is stopped: RLIMIT_CPU then ends a process after one more second, and the process cannot catch it
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
    const { permitted, inheritable, ambient } = capabilities
    ops.push({ op: 'setCapabilities', permitted, inheritable, ambient, origin })
  }
  // as the command's user, so that a directory that only root may enter is refused
  if (spec.workdir !== undefined) ops.push({ op: 'changeDirectory', path: spec.workdir, origin: 'workdir' })
  if (!newPrivileges) ops.push({ op: 'noNewPrivileges', origin: 'newPrivileges' })
  // as the command's user, in its working directory
  for (const rule of spec.landlock ?? []) ops.push({ op: 'allowPath', ...rule, origin: 'landlock' })
  if (spec.landlock) ops.push({ op: 'restrictPaths', origin: 'landlock' })
  return ops
}

/** Returns the option that requests capabilities; without such an option, the separate root or the user namespace. */
function asksForCapabilities({ spec }: Plan): string {
  if (spec.privileges.capAdd.length > 0) return 'capAdd'
  if (spec.privileges.capDrop.length > 0) return 'capDrop'
  return spec.root?.directory === undefined ? 'isolate' : 'rootfs'
}

/** Returns the option that requests ids; without such an option, the user namespace. */
function asksForIds({ spec }: Plan): string {
  if (spec.user !== undefined) return 'user'
  if (spec.privileges.group !== undefined) return 'group'
  if (spec.privileges.groups !== undefined) return 'groups'
  if (spec.privileges.groupAdd !== undefined) return 'groupAdd'
  return spec.joins.length > 0 ? 'join' : 'isolate'
}
