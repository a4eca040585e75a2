// SPDX-License-Identifier: Apache-2.0
// Spec + Host → Plan: which groups, which files, which namespaces. Pure data; everything that can be refused without the kernel is refused here.
import type { DeviceRule } from '../cgroup/device-filter.ts'
import { controllerOf, type LegacyWrite, type LimitWrite, translateLimits } from '../cgroup/legacy.ts'
import { fail } from '../errors.ts'
import { delegateCommand } from '../host/dropin.ts'
import type { Host } from '../host/host.ts'
import type { User } from '../host/ids.ts'
import type { Parent } from '../host/parent.ts'
import type { Delegation, Privileges } from '../host/privileges.ts'
import { capabilityNumbers, hasCapability, parseCapabilityMask } from '../sandbox/capability.ts'
import type { NamespaceKind } from '../sandbox/namespace.ts'
import type { PlannedNetwork } from '../sandbox/network.ts'
import type { Root } from '../sandbox/root.ts'
import type { FilterMaker } from '../seccomp/make.ts'
import type { Filter } from '../seccomp/profile.ts'
import { planDevices } from './devices.ts'
import {
  type Capabilities,
  type Identity,
  type Ids,
  keepForFilter,
  planIdentity,
  type UserNamespace,
} from './identity.ts'
import { type NetworkFacts, planNetwork, refuseForeignTun, resolvedRoot } from './network.ts'
import { sandboxVariables } from './sandbox-preset.ts'
import type { Spec } from './spec.ts'

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
  /** The caller's environment, NAME=value each, and where contained commands find `hutch` ('' is nowhere). */
  env: readonly string[]
  toolPath: string
  /** What the devices of the spec are, in its order, and whether bpf(2) may be used. */
  devices: DeviceRule[]
  mayFilter: boolean
  /** Directories that are mounted only where they are there, and are not. */
  absent?: readonly string[]
  /** Distinguishes this process's jobs. */
  serial: number
  /** Makes the filter that the spec asks for. */
  filter?: FilterMaker
}

/** One group to be made. */
export interface PlannedGroup {
  /** '' for the v2 tree. */
  controller: string
  directory: string
  /** Made only if missing, and then removed when empty: a --parent that this hierarchy lacks. */
  madeParent?: string
  /** v2: controllers to be enabled first, level by level. */
  enable: { directory: string; controllers: string[] }[]
  parent: string
  writes: LimitWrite[]
  /** v1 cpuset: what the parent has, which a new group does not inherit. */
  inherit?: { [file: string]: string }
}

/** A run, resolved against this machine. */
export interface Plan {
  spec: Spec
  layout: Host['layout']
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
  filter?: Filter
  /** Group levels above the job's whose limits may kill it, nearest first. */
  ancestors: { controller: string; directory: string }[]
}

/** Controllers whose figures every run wants, where the host has them. */
const accounting = ['memory', 'pids']

/** @throws CGROUP_*, OPTION_CONFLICT */
export function makePlan(asked: Spec, around: Surroundings): Plan {
  const { host } = around
  const network =
    asked.network && planNetwork(asked, around.network!, around.privileges.permitted, groupName(host, around.serial))
  const there = withoutAbsent(asked.root, around.absent)
  const root = network ? resolvedRoot({ ...asked, ...(there && { root: there }) }, around.network!, network) : there
  const spec = root === asked.root ? asked : { ...asked, root: root! }
  refuseTightPids(spec)
  refuseOldKernel(spec, host)
  const identity = planIdentity(spec, {
    kernel: host.kernel,
    privileges: around.privileges,
    delegation: around.delegation,
    user: around.user,
  })
  if (network?.kind === 'private') refuseForeignTun(identity.userNamespace, around.network!, around.privileges.uid)
  const devices = planDevices(spec, around.devices, deviceMeans(around), identity)
  const groups = host.layout === 'v2' ? planUnified(spec, around) : planLegacy(spec, around, devices.writes)
  refuseMapped(spec, identity, around.privileges)
  const filter = around.filter?.({ kernel: host.kernel, capabilities: keptCapabilities(identity, around.privileges) })
  return {
    spec,
    layout: host.layout,
    kernel: host.kernel,
    groups,
    ...(devices.filter && { deviceFilter: devices.filter }),
    argv: [spec.command, ...spec.args],
    ...makeEnvironment(spec, around),
    ...(network && { network }),
    ...(filter ? keepForFilter(identity, spec, around.privileges) : identity),
    ...(filter && { filter }),
    ancestors: groups
      .filter((group) => group.controller === 'memory' || (host.layout === 'v2' && group.controller === ''))
      .flatMap((group) => levelsBetween(group, host)),
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

/** Name of a job's group; cgroup/sweep.ts reads it back. */
export function groupName(host: Host, serial: number): string {
  const { pid, startTime, pidNamespace } = host.owner
  return `hutch-${pid}-${startTime}-${pidNamespace}-${serial}`
}

/** An idmapped mount takes the map of the job's own user namespace, and rights over the file system. */
function refuseMapped(spec: Spec, { userNamespace }: Identity, { permitted }: Privileges): void {
  const volume = spec.root?.mounts.find((mount) => mount.kind === 'volume' && mount.idmap)
  if (!volume) return
  const refuse = (why: string, remedy: string) =>
    fail('OPTION_CONFLICT', { name: `${volume.origin} …:idmap`, why, remedy })
  if (!userNamespace)
    throw refuse('without a user namespace there is no map of ids', 'add --map-users, such as 0:100000:65536')
  if (!hasCapability(permitted, capabilityNumbers.SYS_ADMIN))
    throw refuse('only root may map the ids of a file system', 'leave out idmap, or run as root')
}

/** A v1 hierarchy, or bpf(2) on a group of v2; neither takes a user's word. */
function deviceMeans({ host, parents, mayFilter }: Surroundings): 'v1' | 'v2' | 'none' {
  const takes = (controller: string) => {
    const parent = parents.get(controller)
    return parent !== undefined && (parent.writable || !parent.exists)
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
      remedy: `give 2, or ${spec.door === 'cli' ? '--no-init' : 'init: false'}: then the command is PID 1`,
    })
}

/** mount_setattr came with 5.12, and a root is not put together by older means, which follow links. */
function refuseOldKernel(spec: Spec, host: Host): void {
  const [major, minor] = host.kernel
  if (spec.root && (major < 5 || (major === 5 && minor < 12)))
    throw fail('HOST_UNSUPPORTED', {
      why: `a root file system of its own takes Linux 5.12 (mount_setattr), and this is ${host.release}`,
    })
}

function planUnified(spec: Spec, around: Surroundings): PlannedGroup[] {
  const parent = around.parents.get('')!
  const asked = [...new Set(spec.limits.map((limit) => controllerOf(limit.file)))].filter((name) => name !== 'cgroup')
  for (const limit of spec.limits) {
    const controller = controllerOf(limit.file)
    if (controller === 'cgroup' || parent.available.includes(controller)) continue
    throw missingController(controller, limit, parent, around.host)
  }
  if (!usable(parent, spec, around)) return []
  const wanted = [...asked, ...accounting.filter((name) => parent.available.includes(name) && !asked.includes(name))]
  let enable = parent.chain
    .map(({ directory, enabled }) => ({ directory, controllers: wanted.filter((name) => !enabled.includes(name)) }))
    .filter(({ controllers }) => controllers.length > 0)
  const inParent = enable.find(({ directory }) => directory === parent.directory)?.controllers ?? []
  if (parent.type !== undefined && parent.type !== 'domain' && parent.type !== 'domain threaded')
    throw fail('CGROUP_THREADED', { directory: parent.directory, type: parent.type })
  // a populated group would become "domain threaded" (pids, cpu) or refuse (memory): neither is what was asked
  if (parent.type !== undefined && parent.processes.length > 0 && inParent.length > 0 && !spec.evacuate) {
    // figures that nobody asked for are not worth a failure
    if (asked.some((name) => inParent.includes(name)))
      throw fail('CGROUP_POPULATED', {
        directory: parent.directory,
        controllers: inParent.join(', '),
        processes: listed(parent.processes),
      })
    enable = []
  }
  return [
    {
      controller: '',
      parent: parent.directory,
      directory: `${parent.directory}/${groupName(around.host, around.serial)}`,
      enable,
      writes: orderLimits(spec.limits),
    },
  ]
}

/** memory.max before memory.swap.max and the protections: each then stands within the one before. */
function orderLimits(limits: readonly LimitWrite[]): LimitWrite[] {
  return [...limits].sort((a, b) => Number(b.file === 'memory.max') - Number(a.file === 'memory.max'))
}

function planLegacy(spec: Spec, around: Surroundings, devices: readonly LegacyWrite[]): PlannedGroup[] {
  const { host } = around
  const oomGroup = (limit: LimitWrite) => limit.file === 'memory.oom.group'
  const unifiedOnly = spec.limits.filter((limit) => controllerOf(limit.file) === 'cgroup')
  const writes = [
    ...translateLimits(spec.limits.filter((limit) => !oomGroup(limit) && !unifiedOnly.includes(limit))),
    ...devices,
  ]
  for (const write of writes)
    if (!host.v1[write.controller])
      throw fail('CGROUP_CONTROLLER_MISSING', {
        controller: write.controller,
        origin: write.origin,
        where: 'cgroup v1',
        available: Object.keys(host.v1).join(', '),
      })
  for (const limit of spec.limits.filter(oomGroup))
    if (limit.value === '1' && (!host.v1.memory || !host.unified))
      throw fail('CGROUP_LIMIT_UNSUPPORTED', {
        file: limit.file,
        origin: limit.origin,
        why: 'on cgroup v1 it takes a v2 tree beside it for the kill',
        remedy: 'mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified, or leave it out',
      })
  const asked = writes.map((write) => write.controller)
  const counting = cpuTimeController(spec, host, asked)
  if (counting !== undefined) asked.push(counting)
  const wanted = new Set([...(host.unified ? [''] : []), ...accounting.filter((name) => host.v1[name]), ...asked])
  return [...wanted].flatMap((controller): PlannedGroup[] => {
    const parent = around.parents.get(controller)!
    if (!usable(parent, spec, around, asked.includes(controller))) return []
    const directory = `${parent.directory}/${groupName(host, around.serial)}`
    const own = controller === '' ? unifiedOnly : writes.filter((write) => write.controller === controller)
    return [
      {
        controller,
        parent: parent.directory,
        directory,
        enable: [],
        writes: own,
        ...(!parent.exists && { madeParent: parent.directory }),
        ...(parent.inherit && { inherit: parent.inherit }),
      },
    ]
  })
}

/** Without root and delegation a run without limits needs no group; one with limits cannot be. */
function usable(parent: Parent, spec: Spec, around: Surroundings, needed = needsOf(spec) !== ''): boolean {
  if (parent.writable || !parent.exists) return true
  if (!needed && spec.parent === undefined) return false
  if (around.host.uid === 0)
    throw fail('CGROUP_REFUSED', {
      what: 'make a group below',
      path: parent.directory,
      errno: 'EROFS',
      evidence: [`asked for by ${needsOf(spec) || '--parent'}`],
      remedy: 'in a container: start it with a private cgroup namespace and a writable /sys/fs/cgroup',
    })
  throw fail('CGROUP_NO_DELEGATION', {
    directory: parent.directory,
    need: `make a group for ${needsOf(spec) || '--parent'}`,
    user: around.host.uid,
    ...(spec.sandbox && { without: withoutGroups(spec) }),
  })
}

/** How to ask for a sandbox that needs no group: what was not asked for need not be given up. */
function withoutGroups({ limits, cpuTimeMs, door }: Spec): string {
  const [none, time] = door === 'cli' ? ['--limit none', '--cpu-time'] : ["limits: 'none'", 'cpuTime']
  const ways = [limits.length > 0 && `with ${none}`, cpuTimeMs !== undefined && `without ${time}`]
  return ways.filter(Boolean).join(' and ')
}

/** The options that take a group. */
export function needsOf({ limits, cpuTimeMs, door }: Spec): string {
  const origins = limits.map((limit) => limit.origin)
  if (cpuTimeMs !== undefined) origins.push(door === 'cli' ? '--cpu-time' : 'cpuTime')
  return origins.join(', ')
}

/** v1's hierarchy that counts CPU time: '' is the v2 tree beside, cpu is mounted together with cpuacct. */
function cpuTimeController(spec: Spec, { unified, v1 }: Host, asked: readonly string[]): string | undefined {
  if (spec.cpuTimeMs === undefined) return undefined
  if (unified) return ''
  if (!v1.cpuacct)
    throw fail('CGROUP_CONTROLLER_MISSING', {
      controller: 'cpuacct',
      origin: needsOf({ ...spec, limits: [] }),
      where: 'cgroup v1',
      available: Object.keys(v1).join(', '),
    })
  return asked.includes('cpu') && v1.cpu?.mount === v1.cpuacct.mount ? 'cpu' : 'cpuacct'
}

function missingController(controller: string, limit: LimitWrite, parent: Parent, host: Host) {
  return fail('CGROUP_CONTROLLER_MISSING', {
    controller,
    origin: limit.origin,
    where: parent.directory,
    available: parent.available.join(', '),
    ...(limit.origin.endsWith('sandbox)') && {
      remedy: `go without it: ${limit.origin.startsWith('--') ? limit.origin.replace(/ .*/, ' max') : limit.origin.replace(/ .*/, ": 'max'")}; or enable the controller (hutch doctor says how)`,
    }),
    ...(host.home !== undefined && host.uid !== 0 && { remedy: delegateCommand([controller], host.uid) }),
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

/** The directories from the job's parent up to, but not with, the hierarchy's root. */
function levelsBetween(group: PlannedGroup, host: Host): { controller: string; directory: string }[] {
  const mount = group.controller === '' ? host.unified!.mount : host.v1[group.controller]!.mount
  const levels: { controller: string; directory: string }[] = []
  for (let at = group.parent; at.length > mount.length; at = at.slice(0, at.lastIndexOf('/')))
    levels.push({ controller: group.controller, directory: at })
  return levels
}

function listed(processes: string[]): string {
  const shown = processes.slice(0, 5).join(', ')
  return processes.length > 5 ? `${shown} and ${processes.length - 5} more` : shown
}
