// SPDX-License-Identifier: Apache-2.0
// Plans a container whose creator has already decided everything that the planner decides for a job. Called by plan.ts;
// pure.
import { capabilityMask, capabilityNumbers, hasCapability, parseCapabilityMask } from '../credentials/capability.ts'
import type { Extent } from '../namespaces/id-map.ts'
import type { ContainerSpec } from '../options/container-spec.ts'
import type { Spec } from '../options/spec.ts'
import type { SeccompFilter } from '../seccomp/profile.ts'
import type { Capabilities, Ids, UserNamespace } from './credentials.ts'
import { defaultSearchPath } from './environment.ts'
import type { Plan, PlanFacts } from './plan.ts'

/** Makes the plan of a container. It adds nothing to what the Spec says. */
export function planContainer(spec: Spec, container: ContainerSpec, facts: PlanFacts): Plan {
  const { host } = facts
  const { deviceFilter, groups } = container
  const userNamespace = container.maps && planMaps(container.maps, facts)
  const bounding = container.capabilities?.bounding.toString(16) ?? facts.privileges.permitted
  const filter = facts.filter?.({ kernel: host.kernel, capabilities: parseCapabilityMask(bounding) })
  const capabilities = planCapabilities(spec, container, facts, filter)
  const env = Object.entries(spec.env).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]))
  return {
    spec,
    layout: host.layout,
    v1: host.v1,
    ...(host.unified && { unified: host.unified }),
    kernel: host.kernel,
    groups: [...groups],
    entered: spec.group && 'enter' in spec.group ? spec.group.enter : [],
    ...(deviceFilter && { deviceFilter: [...deviceFilter] }),
    argv: [spec.command, ...spec.args],
    env,
    searchPath: spec.env.PATH ?? defaultSearchPath,
    isolate: spec.isolate,
    ...(userNamespace && { userNamespace }),
    ids: planIds(spec, container, userNamespace),
    ...(capabilities && { capabilities }),
    ...(filter && { filter }),
    outer: [],
    ancestors: [],
  }
}

/** Returns the id maps, with the tools that write them if this process may not. */
function planMaps({ users, groups }: NonNullable<ContainerSpec['maps']>, facts: PlanFacts): UserNamespace {
  const { privileges, delegation } = facts
  const isOwn = ([first, ...others]: readonly Extent[], id: number) =>
    others.length === 0 && first?.count === 1 && first.outside === id
  const mayUsers = hasCapability(privileges.permitted, capabilityNumbers.SETUID)
  const mayGroups = hasCapability(privileges.permitted, capabilityNumbers.SETGID)
  const denySetgroups = !mayGroups && isOwn(groups, privileges.gid)
  return {
    users,
    groups,
    denySetgroups,
    userTool: mayUsers || isOwn(users, privileges.uid) ? '' : (delegation?.userTool ?? ''),
    groupTool: mayGroups || denySetgroups ? '' : (delegation?.groupTool ?? ''),
  }
}

/**
 * Returns the ids. In a user namespace that may forbid setgroups(2), an empty list of groups is requested, but not
 * required.
 */
function planIds({ joins }: Spec, { ids }: ContainerSpec, namespace: UserNamespace | undefined): Ids {
  const { uid, gid, groups } = ids
  const mayBeDenied = namespace !== undefined || joins.some(({ kind }) => kind === 'user')
  const keepGroups = groups === undefined ? 1 : mayBeDenied && groups.length === 0 ? 2 : 0
  return { uid, gid, groups: [...(groups ?? [])], keepGroups }
}

/**
 * Returns the capability sets. Without no_new_privs, the process needs CAP_SYS_ADMIN until it has installed the filter,
 * right before its exec. The exec removes it: it computes the permitted set from the inheritable, bounding and ambient
 * sets.
 */
function planCapabilities(
  { privileges, joins }: Spec,
  { capabilities, ids, maps }: ContainerSpec,
  facts: PlanFacts,
  filter: SeccompFilter | undefined,
): Capabilities | undefined {
  const { SYS_ADMIN } = capabilityNumbers
  const inUser = maps !== undefined || joins.some(({ kind }) => kind === 'user')
  const has = inUser || hasCapability(facts.privileges.permitted, SYS_ADMIN)
  if (!filter || !privileges.newPrivileges || !has || (!capabilities && ids.uid === 0)) return capabilities
  const withAdmin = (mask: number) =>
    hasCapability(mask.toString(16), SYS_ADMIN) ? mask : mask + capabilityMask([SYS_ADMIN])
  const { permitted, effective, ...others } = capabilities ?? { permitted: 0, effective: 0, inheritable: 0, ambient: 0 }
  return { ...others, permitted: withAdmin(permitted), effective: withAdmin(effective) }
}
