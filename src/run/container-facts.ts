// SPDX-License-Identifier: Apache-2.0
// Reads the facts for the plan of a container. Its Spec already has most of what other plans need. Called by launch.ts.
import { capabilityNumbers, hasCapability } from '../credentials/capability.ts'
import type { Host } from '../host/host.ts'
import { type Privileges, readDelegation } from '../host/privileges.ts'
import type { ContainerSpec } from '../options/container-spec.ts'
import type { PlanFacts } from '../plan/plan.ts'
import type { FilterMaker } from '../seccomp/make-filter.ts'

/** Returns the facts for a container. Reads the tools that map ids only if this process may not map them. */
export function readContainerFacts(
  { maps }: ContainerSpec,
  host: Host,
  privileges: Privileges,
  filter: FilterMaker | undefined,
): PlanFacts {
  const { SETUID, SETGID } = capabilityNumbers
  const mayMap = [SETUID, SETGID].every((number) => hasCapability(privileges.permitted, number))
  return {
    host,
    privileges,
    parents: new Map(),
    user: undefined,
    env: [],
    toolPath: {},
    devices: [],
    mayFilter: false,
    serial: 0,
    ...(filter && { filter }),
    ...(maps && !mayMap && { delegation: readDelegation(privileges.uid) }),
  }
}
