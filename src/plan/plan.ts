// SPDX-License-Identifier: Apache-2.0
// Spec + Host → Plan: groups, files, namespaces, credentials. Refuses everything that can be refused without asking the kernel. Called by
// run/launch.ts; pure.

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
import { sandboxVariables } from '../options/sandbox-preset.ts'
import type { Spec } from '../options/spec.ts'
import type { FilterMaker } from '../seccomp/make-filter.ts'
import type { SeccompFilter } from '../seccomp/profile.ts'
import {
  type Capabilities,
  type Identity,
  type Ids,
  keepForFilter,
  planIdentity,
  type UserNamespace,
} from './credentials.ts'
import { planDevices } from './devices.ts'
import { groupName, memoryLevels, type PlannedGroup, planLegacy, planUnified } from './groups.ts'
import { type NetworkFacts, planNetwork, refuseForeignTun, resolvedRoot } from './network.ts'
import type { AppliedOuterLimit } from './outer-limits.ts'
import { mapVolumes, type SourceFacts } from './sandbox-volumes.ts'

/** Facts about the machine for one run. Some are read only if the Spec needs them. */
export interface PlanFacts {
  host: Host
  /** Parent groups by v1 controller; '' is the v2 tree. */
  parents: Map<string, Parent>
  user: User | undefined
  privileges: Privileges
  /** Ids that this user may map; read if a map needs them. */
  delegation?: Delegation
  /** Read for a run with a network. */
  network?: NetworkFacts
  /** Read for a run that changes names. */
  names?: NameFacts
  /** The caller's environment as NAME=value, and the directory of `hutch` for contained commands ('' if none). */
  env: readonly string[]
  toolPath: string
  /** Devices of the Spec in its order; and whether bpf(2) may be used. */
  devices: DeviceRule[]
  mayFilter: boolean
  /** Optional directories that do not exist on the host. */
  absent?: readonly string[]
  /** For root's sandbox: the sources of writable volumes. */
  sources?: ReadonlyMap<string, SourceFacts>
  /** v1, for a sandbox: the CPU share above its groups, which none of them may exceed. */
  share?: Share | undefined
  /** Number that distinguishes this process's jobs. */
  serial: number
  /** Makes the filter that the Spec requests. */
  filter?: FilterMaker
}

/** A run with all facts of this machine resolved. */
export interface Plan {
  spec: Spec
  layout: Host['layout']
  /** v1 hierarchies, with the caller's group in each. */
  v1: Host['v1']
  kernel: Host['kernel']
  groups: PlannedGroup[]
  argv: string[]
  env: string[]
  searchPath: string
  /** Namespaces of the Spec, and user if the others require it. */
  isolate: NamespaceKind[]
  userNamespace?: UserNamespace
  /** v2: the BPF program that allows devices, attached to the job's group. */
  deviceFilter?: number[]
  /** Ids of the command; absent if they do not change. */
  ids?: Ids
  capabilities?: Capabilities
  /** Network that is connected from outside while the job waits. */
  network?: PlannedNetwork
  /** Filter of system calls. */
  filter?: SeccompFilter
  /** Limits of groups that contain the caller but not the job, and whether the job's own group has them. */
  outer: AppliedOuterLimit[]
  /** Ancestors of the job's group whose limits may kill the job, nearest first. */
  ancestors: { controller: string; directory: string }[]
}

/** Makes the plan of a run. @throws CGROUP_*, OPTION_CONFLICT */
export function makePlan(requested: Spec, facts: PlanFacts): Plan {
  const { host } = facts
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
  const { groups, outer } =
    host.layout === 'v2'
      ? planUnified(spec, facts)
      : { groups: planLegacy(spec, facts, devices.writes), outer: [] as AppliedOuterLimit[] }
  refuseMapped(spec, identity, facts.privileges)
  const filter = facts.filter?.({ kernel: host.kernel, capabilities: keptCapabilities(identity, facts.privileges) })
  return {
    spec,
    layout: host.layout,
    v1: host.v1,
    kernel: host.kernel,
    groups,
    outer,
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
  return { ...root, mounts: root.mounts.filter((mount) => mount.kind !== 'volume' || !isAbsent(mount, absent)) }
}

function isAbsent(mount: { source: string; ifThere?: boolean }, absent: readonly string[]): boolean {
  return mount.ifThere === true && absent.includes(mount.source)
}

/** Returns the command's capabilities. Without planned sets, root keeps its capabilities, and a user whose ids change loses all. */
function keptCapabilities({ capabilities, ids }: Identity, privileges: Privileges): number[] {
  if (capabilities) return parseCapabilityMask(capabilities.permitted.toString(16))
  return (ids?.uid ?? privileges.uid) === 0 ? parseCapabilityMask(privileges.permitted) : []
}

/** Refuses an idmapped mount without its own user namespace, or without rights over the file system. */
function refuseMapped(spec: Spec, { userNamespace }: Identity, { permitted }: Privileges): void {
  const volume = spec.root?.mounts.find((mount) => mount.kind === 'volume' && mount.idmap)
  if (!volume) return
  const refuse = (why: string, remedy: string) =>
    fail('OPTION_CONFLICT', { name: `${volume.origin} …:idmap`, why, remedy })
  if (!userNamespace)
    throw refuse('without a user namespace there is no id map', 'add --map-users, such as 0:100000:65536')
  if (!hasCapability(permitted, capabilityNumbers.SYS_ADMIN))
    throw refuse('only root may map the ids of a file system', 'leave out idmap, or run as root')
}

/** Returns how devices can be limited: a v1 hierarchy, or bpf(2) on a v2 group. Neither works without privileges. */
function deviceMeans({ host, parents, mayFilter }: PlanFacts): 'v1' | 'v2' | 'none' {
  const takes = (controller: string) => {
    const parent = parents.get(controller)
    return parent?.writable === true
  }
  if (host.v1.devices) return host.uid === 0 && takes('devices') ? 'v1' : 'none'
  return mayFilter && takes('') ? 'v2' : 'none'
}

/** Refuses a pids.max below the number of tasks that hutch-init and the command need. */
function refuseTightPids(spec: Spec): void {
  const pids = spec.limits.find((limit) => limit.file === 'pids.max')
  if (pids?.value === '1' && spec.init && spec.isolate.includes('pid'))
    throw fail('OPTION_CONFLICT', {
      name: `${pids.origin} 1`,
      why: "hutch's PID 1 and the command are two tasks",
      remedy: `give 2, or ${specFrontends[spec.frontend].turnOff('init')}: then the command is PID 1`,
    })
}

/** Refuses a root on kernels without mount_setattr (before 5.12). Older calls follow links, so they are not safe. */
function refuseOldKernel(spec: Spec, host: Host): void {
  const [major, minor] = host.kernel
  if (spec.root && (major < 5 || (major === 5 && minor < 12)))
    throw fail('HOST_UNSUPPORTED', {
      why: `a separate root file system needs Linux 5.12 (mount_setattr), and this is ${host.release}`,
    })
}

export const defaultSearchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Returns the environment for execve: the caller's with the changes. Contained commands find `hutch` first in their PATH. */
function makeEnvironment(spec: Spec, facts: PlanFacts): { env: string[]; searchPath: string } {
  const { user } = facts
  const account = user?.name === undefined ? {} : { HOME: user.home, USER: user.name, LOGNAME: user.name }
  const changes: { [name: string]: string | undefined } = { ...account, ...spec.env }
  const own = spec.extendEnv === false ? [] : facts.env
  const path = 'PATH' in changes ? changes.PATH : own.find((entry) => entry.startsWith('PATH='))?.slice(5)
  // an image does not contain hutch, and must not learn its path on the host
  const tools = spec.root?.directory === undefined && facts.toolPath ? `${facts.toolPath}:` : ''
  const searchPath = tools + (path ?? defaultSearchPath)
  const replaced = new Set(['PATH', ...Object.keys(changes)])
  const keeps = (name: string) => !spec.sandbox || sandboxVariables.includes(name) || name.startsWith('LC_')
  const env = own.filter((entry) => {
    const name = entry.slice(0, entry.indexOf('='))
    return !replaced.has(name) && keeps(name)
  })
  if (own === facts.env || 'PATH' in changes) env.push(`PATH=${searchPath}`)
  for (const [name, value] of Object.entries(changes))
    if (name !== 'PATH' && value !== undefined) env.push(`${name}=${value}`)
  return { env, searchPath }
}
