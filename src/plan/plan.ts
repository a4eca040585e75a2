// SPDX-License-Identifier: Apache-2.0
// Spec + Host → Plan: which groups, which files, which namespaces. Pure data; everything that can be refused without the kernel is refused here.

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
import { type NameFacts, namedRoot } from '../options/name-options.ts'
import { optionName } from '../options/names.ts'
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

/** Facts that only some runs need, looked up for this one. */
export interface Surroundings {
  host: Host
  /** '' is the v2 tree; v1 hierarchies by controller. */
  parents: Map<string, Parent>
  user: User | undefined
  privileges: Privileges
  /** Ids that this user may map, read when a map needs them. */
  delegation?: Delegation
  /** Read for a run with a network. */
  network?: NetworkFacts
  /** Read for a run with names of its own. */
  names?: NameFacts
  /** The caller's environment, NAME=value each, and where contained commands find `hutch` ('' is nowhere). */
  env: readonly string[]
  toolPath: string
  /** What the devices of the spec are, in its order, and whether bpf(2) may be used. */
  devices: DeviceRule[]
  mayFilter: boolean
  /** Directories that are mounted only where they are there, and are not. */
  absent?: readonly string[]
  /** For root's sandbox: the sources of volumes that may be written. */
  sources?: ReadonlyMap<string, SourceFacts>
  /** v1, for a sandbox: the share of CPU time above its groups, of which none below may have more. */
  share?: Share | undefined
  /** Distinguishes this process's jobs. */
  serial: number
  /** Makes the filter that the spec asks for. */
  filter?: FilterMaker
}

/** A run, resolved against this machine. */
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
  /** The spec's, and user where the others take it. */
  isolate: NamespaceKind[]
  userNamespace?: UserNamespace
  /** v2: the program that allows devices, attached to the job's group. */
  deviceFilter?: number[]
  /** Taken on before the command; absent when they stay as they are. */
  ids?: Ids
  capabilities?: Capabilities
  /** Connected from outside while the job waits. */
  network?: PlannedNetwork
  /** Of system calls. */
  filter?: SeccompFilter
  /** Limits of groups that the caller is in and the job is not, and which of them hold by its own group's. */
  outer: AppliedOuterLimit[]
  /** Group levels above the job's whose limits may kill it, nearest first. */
  ancestors: { controller: string; directory: string }[]
}

/** @throws CGROUP_*, OPTION_CONFLICT */
export function makePlan(asked: Spec, around: Surroundings): Plan {
  const { host } = around
  const network =
    asked.network && planNetwork(asked, around.network!, around.privileges.permitted, groupName(host, around.serial))
  const there = withoutAbsent(asked.root, around.absent)
  const connected = network
    ? resolvedRoot({ ...asked, ...(there && { root: there }) }, around.network!, network)
    : there
  const root = asked.names ? namedRoot(asked, connected, around.names!) : connected
  refuseTightPids(asked)
  const identity = planIdentity(asked, {
    kernel: host.kernel,
    privileges: around.privileges,
    delegation: around.delegation,
    user: around.user,
  })
  const mapped = around.sources ? mapVolumes(asked, root, identity, around.privileges, around.sources) : root
  const spec = mapped === asked.root ? asked : { ...asked, root: mapped! }
  refuseOldKernel(spec, host)
  if (network?.kind === 'private') refuseForeignTun(identity.userNamespace, around.network!, around.privileges.uid)
  const devices = planDevices(spec, around.devices, deviceMeans(around), identity)
  const { groups, outer } =
    host.layout === 'v2'
      ? planUnified(spec, around)
      : { groups: planLegacy(spec, around, devices.writes), outer: [] as AppliedOuterLimit[] }
  refuseMapped(spec, identity, around.privileges)
  const filter = around.filter?.({ kernel: host.kernel, capabilities: keptCapabilities(identity, around.privileges) })
  return {
    spec,
    layout: host.layout,
    v1: host.v1,
    kernel: host.kernel,
    groups,
    outer,
    ...(devices.filter && { deviceFilter: devices.filter }),
    argv: [spec.command, ...spec.args],
    ...makeEnvironment(spec, around),
    ...(network && { network }),
    ...(filter ? keepForFilter(identity, spec, around.privileges) : identity),
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

/** What the command has once it runs: without a plan for them root keeps what it has, and who becomes another nothing. */
function keptCapabilities({ capabilities, ids }: Identity, privileges: Privileges): number[] {
  if (capabilities) return parseCapabilityMask(capabilities.permitted.toString(16))
  return (ids?.uid ?? privileges.uid) === 0 ? parseCapabilityMask(privileges.permitted) : []
}

/** An idmapped mount takes the map of the job's own user namespace, and rights over the file system. */
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

/** A v1 hierarchy, or bpf(2) on a group of v2; neither takes a user's word. */
function deviceMeans({ host, parents, mayFilter }: Surroundings): 'v1' | 'v2' | 'none' {
  const takes = (controller: string) => {
    const parent = parents.get(controller)
    return parent?.writable === true
  }
  if (host.v1.devices) return host.uid === 0 && takes('devices') ? 'v1' : 'none'
  return mayFilter && takes('') ? 'v2' : 'none'
}

/** init and the command are a task each. */
function refuseTightPids(spec: Spec): void {
  const pids = spec.limits.find((limit) => limit.file === 'pids.max')
  if (pids?.value === '1' && spec.init && spec.isolate.includes('pid'))
    throw fail('OPTION_CONFLICT', {
      name: `${pids.origin} 1`,
      why: "hutch's PID 1 and the command are two tasks",
      remedy: `give 2, or ${spec.door === 'library' ? 'init: false' : optionName('init', spec.door)}: then the command is PID 1`,
    })
}

/** mount_setattr came with 5.12, and a root is not put together by older means, which follow links. */
function refuseOldKernel(spec: Spec, host: Host): void {
  const [major, minor] = host.kernel
  if (spec.root && (major < 5 || (major === 5 && minor < 12)))
    throw fail('HOST_UNSUPPORTED', {
      why: `a separate root file system needs Linux 5.12 (mount_setattr), and this is ${host.release}`,
    })
}

export const usualPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** The caller's environment with the changes, as execve takes it. Contained commands find `hutch` first in their PATH. */
function makeEnvironment(spec: Spec, around: Surroundings): { env: string[]; searchPath: string } {
  const { user } = around
  const account = user?.name === undefined ? {} : { HOME: user.home, USER: user.name, LOGNAME: user.name }
  const changes: { [name: string]: string | undefined } = { ...account, ...spec.env }
  const path = 'PATH' in changes ? changes.PATH : around.env.find((entry) => entry.startsWith('PATH='))?.slice(5)
  // an image has nothing of hutch's, and need not know where the host has it
  const tools = spec.root?.directory === undefined && around.toolPath ? `${around.toolPath}:` : ''
  const searchPath = tools + (path ?? usualPath)
  const replaced = new Set(['PATH', ...Object.keys(changes)])
  const keeps = (name: string) => !spec.sandbox || sandboxVariables.includes(name) || name.startsWith('LC_')
  const env = around.env.filter((entry) => {
    const name = entry.slice(0, entry.indexOf('='))
    return !replaced.has(name) && keeps(name)
  })
  env.push(`PATH=${searchPath}`)
  for (const [name, value] of Object.entries(changes))
    if (name !== 'PATH' && value !== undefined) env.push(`${name}=${value}`)
  return { env, searchPath }
}
