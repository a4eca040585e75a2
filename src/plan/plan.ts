// SPDX-License-Identifier: Apache-2.0
// Turns a Spec and the facts of the host into a Plan: groups, files, namespaces and credentials. Refuses everything
// that can be refused without asking the kernel. Called by run/launch.ts; pure.

import type { PlannedGroup } from '../cgroup/planned-group.ts'
import type { Share } from '../cgroup/v1/cpu-quota.ts'
import { capabilityNumbers, hasCapability, parseCapabilityMask } from '../credentials/capability.ts'
import type { DeviceRule } from '../devices/device-filter.ts'
import { fail } from '../errors/errors.ts'
import type { Host } from '../host/host.ts'
import type { Parent } from '../host/parent-group.ts'
import type { User } from '../host/passwd.ts'
import type { Delegation, Privileges } from '../host/privileges.ts'
import type { Root } from '../mounts/root.ts'
import type { NamespaceKind } from '../namespaces/namespace.ts'
import type { PlannedNetwork } from '../network/network.ts'
import { specFrontends } from '../options/frontends.ts'
import { type NameFacts, namedRoot } from '../options/name-options.ts'
import type { GroupPlace, Spec } from '../options/spec.ts'
import type { FilterMaker } from '../seccomp/make-filter.ts'
import type { SeccompFilter } from '../seccomp/profile.ts'
import { planContainer } from './container.ts'
import {
  type Capabilities,
  type Identity,
  type Ids,
  keepForFilter,
  planIdentity,
  type UserNamespace,
} from './credentials.ts'
import { planDevices } from './devices.ts'
import { makeEnvironment, type ToolPath } from './environment.ts'
import { groupName, memoryLevels, planGroups } from './groups.ts'
import { type NetworkFacts, planNetwork, refuseForeignTun, resolvedRoot } from './network.ts'
import type { AppliedOuterLimit } from './outer-limits.ts'
import { mapVolumes, type SourceFacts } from './sandbox-volumes.ts'

/** The facts about the machine that one run needs. Some are read only if the Spec needs them. */
export interface PlanFacts {
  host: Host
  /** Facts about the parent group in each hierarchy, by v1 controller; '' is the v2 tree. */
  parents: Map<string, Parent>
  user: User | undefined
  privileges: Privileges
  /** Subordinate ids that this user may map. Read only if a map needs them. */
  delegation?: Delegation
  /** Facts about networks. Read only for a run that connects a network. */
  network?: NetworkFacts
  /** Texts of /etc/hosts and /etc/resolv.conf. Read only for a run with options for host names. */
  names?: NameFacts
  /** The caller's environment as NAME=value. */
  env: readonly string[]
  toolPath: ToolPath
  /** The devices that the Spec names, in its order. `mayFilter` is true if this process may use bpf(2). */
  devices: DeviceRule[]
  mayFilter: boolean
  /** Directories to mount that do not exist on the host, and that a run does not require. */
  absent?: readonly string[]
  /** For a sandbox started by root: facts about the sources of its writable volumes. */
  sources?: ReadonlyMap<string, SourceFacts>
  /** v1, for a sandbox: the CPU quota of the groups above the job's, which v1 does not allow to be exceeded. */
  share?: Share | undefined
  /** A number that distinguishes the jobs of this process, for the names of groups. */
  serial: number
  /** Compiles the system call filter that the Spec requests. */
  filter?: FilterMaker
}

/** A run that is ready to compile: every choice that depends on this machine has been made. */
export interface Plan {
  spec: Spec
  layout: Host['layout']
  /** v1 hierarchies, with the caller's group in each. */
  v1: Host['v1']
  /** The v2 tree, with the caller's group. */
  unified?: Host['unified']
  kernel: Host['kernel']
  groups: PlannedGroup[]
  /** Existing groups that the command enters. */
  entered: readonly GroupPlace[]
  argv: string[]
  env: string[]
  searchPath: string
  /** Kinds of namespaces to create: those of the Spec, and `user` if the others require it. */
  isolate: NamespaceKind[]
  userNamespace?: UserNamespace
  /** v2: the BPF program that decides which devices may be used. It is attached to the job's group. */
  deviceFilter?: number[]
  /** The ids that the command's process changes to; absent if they stay the same. */
  ids?: Ids
  capabilities?: Capabilities
  /** Network that is connected from outside while the job waits. */
  network?: PlannedNetwork
  /** The compiled system call filter. */
  filter?: SeccompFilter
  /** Limits of groups that contain the caller but not the job. Each tells whether the job's own group enforces it. */
  outer: AppliedOuterLimit[]
  /** Ancestors of the job's group whose memory limit may cause a kill in the job, nearest first. */
  ancestors: GroupPlace[]
}

/** Makes the plan of a run. @throws CGROUP_*, OPTION_CONFLICT */
export function makePlan(requested: Spec, facts: PlanFacts): Plan {
  const { host } = facts
  if (requested.container) {
    refuseOldKernel(requested, host)
    return planContainer(requested, requested.container, facts)
  }
  const network =
    requested.network &&
    planNetwork(requested, facts.network!, facts.privileges.permitted, groupName(host, facts.serial))
  const there = withoutAbsent(requested.root, facts.absent)
  const connected = network
    ? resolvedRoot({ ...requested, ...(there && { root: there }) }, facts.network!, network)
    : there
  const root = requested.names ? namedRoot(requested, connected, facts.names!) : connected
  refuseTightPids(requested)
  const identity = planIdentity(requested, {
    kernel: host.kernel,
    privileges: facts.privileges,
    delegation: facts.delegation,
    user: facts.user,
  })
  const mapped = facts.sources ? mapVolumes(requested, root, identity, facts.privileges, facts.sources) : root
  const spec = mapped === requested.root ? requested : { ...requested, root: mapped! }
  refuseOldKernel(spec, host)
  if (network?.kind === 'private') refuseForeignTun(identity.userNamespace, facts.network!, facts.privileges.uid)
  const devices = planDevices(spec, facts.devices, deviceMeans(facts), identity)
  const groups = planGroups(spec, facts, devices.writes)
  refuseLoose(spec, groups.groups)
  refuseMapped(spec, identity, facts.privileges)
  const filter = facts.filter?.({ kernel: host.kernel, capabilities: keptCapabilities(identity, facts.privileges) })
  return {
    spec,
    layout: host.layout,
    v1: host.v1,
    ...(host.unified && { unified: host.unified }),
    kernel: host.kernel,
    ...groups,
    ...(devices.filter && { deviceFilter: devices.filter }),
    argv: [spec.command, ...spec.args],
    ...makeEnvironment(spec, facts),
    ...(network && { network }),
    ...(filter ? keepForFilter(identity, spec, facts.privileges) : identity),
    ...(filter && { filter }),
    ancestors: memoryLevels(groups, host),
  }
}

function withoutAbsent(root: Root | undefined, absent: readonly string[] | undefined): Root | undefined {
  if (!root || !absent || absent.length === 0) return root
  const key = absent.join('\0')
  const known = knownRoots.get(root)
  if (known?.key === key) return known.present
  const present = { ...root, mounts: root.mounts.filter((mount) => !isAbsent(mount, absent)) }
  if (Object.isFrozen(root)) knownRoots.set(root, { key, present: Object.freeze(present) })
  return present
}

/** Frozen roots without their absent mounts. */
const knownRoots = new WeakMap<Root, { key: string; present: Root }>()

function isAbsent(mount: { source: string; ifThere?: boolean }, absent: readonly string[]): boolean {
  return mount.ifThere === true && absent.includes(mount.source)
}

/**
 * Returns the capabilities that the command will have. If none are planned, root keeps its own, and a user whose ids
 * change loses all.
 */
function keptCapabilities({ capabilities, ids }: Identity, privileges: Privileges): number[] {
  if (capabilities) return parseCapabilityMask(capabilities.permitted.toString(16))
  return (ids?.uid ?? privileges.uid) === 0 ? parseCapabilityMask(privileges.permitted) : []
}

/** Refuses a volume with the option idmap if the job has no new user namespace, or if hutch lacks the privilege for it. */
function refuseMapped(spec: Spec, { userNamespace }: Identity, { permitted }: Privileges): void {
  const mapped = spec.root?.mounts.filter((mount) => mount.idmap) ?? []
  const volume = mapped.find(({ maps }) => !maps) ?? mapped[0]
  if (!volume) return
  const refuse = (why: string, remedy: string) =>
    fail('OPTION_CONFLICT', { name: `${volume.origin} …:idmap`, why, remedy })
  if (!userNamespace && !volume.maps && !spec.joins.some(({ kind }) => kind === 'user'))
    throw refuse('without a user namespace there is no id map', 'add --map-users, such as 0:100000:65536')
  if (!hasCapability(permitted, capabilityNumbers.SYS_ADMIN))
    throw refuse('only root may map the ids of a file system', 'leave out idmap, or run as root')
}

/**
 * Returns how the job's use of devices can be limited: by a v1 hierarchy, or by bpf(2) on a v2 group. 'none' without
 * privileges.
 */
function deviceMeans({ host, parents, mayFilter }: PlanFacts): 'v1' | 'v2' | 'none' {
  const takes = (controller: string) => {
    const parent = parents.get(controller)
    return parent?.writable === true
  }
  if (host.v1.devices) return host.uid === 0 && takes('devices') ? 'v1' : 'none'
  return mayFilter && takes('') ? 'v2' : 'none'
}

/**
 * Refuses a command that this process does not watch, if the command would end with this process. A job's own group is
 * not kept: its lock is free once this process has ended. The clean-up of a later hutch then kills the processes in the
 * group.
 */
function refuseLoose(
  { rest, group, dieWithParent, seccompReport, learn }: Spec,
  groups: readonly PlannedGroup[],
): void {
  if (rest !== 'nobody') return
  const kept = groups.length === 0 || (group && 'name' in group && group.lifetime === 'container')
  if (dieWithParent === false && kept && !seccompReport && !learn) return
  throw fail('OPTION_CONFLICT', {
    name: 'rest nobody',
    why: 'the command would end, or lose its listener, with this process',
    remedy: 'give dieWithParent false and a group of lifetime container, without a report of system calls',
  })
}

/** Refuses a pids.max that is too low for hutch-init and the command. */
function refuseTightPids(spec: Spec): void {
  const pids = spec.limits.find((limit) => limit.file === 'pids.max')
  if (pids?.value === '1' && spec.init && spec.isolate.includes('pid'))
    throw fail('OPTION_CONFLICT', {
      name: `${pids.origin} 1`,
      why: "hutch's PID 1 and the command are two tasks",
      remedy: `give 2, or ${specFrontends[spec.frontend].turnOff('init')}: then the command is PID 1`,
    })
}

/**
 * Refuses a separate root directory on kernels before 5.12, which lack mount_setattr. The older system calls follow
 * symbolic links, and so are not safe.
 */
function refuseOldKernel(spec: Spec, host: Host): void {
  const [major, minor] = host.kernel
  if (spec.root && (major < 5 || (major === 5 && minor < 12)))
    throw fail('HOST_UNSUPPORTED', {
      why: `a separate root file system needs Linux 5.12 (mount_setattr), and this is ${host.release}`,
    })
}
