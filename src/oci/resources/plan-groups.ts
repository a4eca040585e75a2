// SPDX-License-Identifier: Apache-2.0
// Plans the control groups of a container: one in every mounted hierarchy. The callers of an OCI runtime look for the container's
// path in each. Reads the hierarchies, and changes nothing.
import { isGroup, readGroupFile, readWords, walkGroups } from '../../cgroup/files.ts'
import { describeProcesses, shortenList } from '../../cgroup/group-state.ts'
import type { PlannedGroup } from '../../cgroup/planned-group.ts'
import { controllerOf } from '../../cgroup/v1/translate.ts'
import { fail } from '../../errors/errors.ts'
import { isInitialUserNamespace } from '../../host/device.ts'
import type { Host } from '../../host/host.ts'
import type { GroupPlace } from '../../options/spec.ts'
import { isWritable } from '../../systemd/failure.ts'
import { defaultSlice } from '../../systemd/unit.ts'
import { type CgroupsPath, groupIn, parseCgroupsPath } from './cgroups-path.ts'
import { deviceWrites, filterDevices } from './device-rules.ts'
import { levelsAbove, type MountedTree, mountedTrees, readResourceFacts } from './host-groups.ts'
import type { LinuxResources } from './linux-resources.ts'
import { managerOf, type PlannedUnit, planUnit } from './plan-unit.ts'
import type { ResourceWrite } from './resource-values.ts'
import { convertResources } from './resource-writes.ts'
import { parseUnitPath, type UnitPlace } from './systemd-path.ts'

/** The planned groups of a container. */
interface ContainerGroups {
  groups: PlannedGroup[]
  /** The group for each controller. Controllers of one hierarchy have the same directory. */
  places: GroupPlace[]
  /** v2: the BPF program that decides which devices may be used. Absent if this process may not load it. */
  deviceFilter?: number[]
  /** The unit to start before the groups are used, with the driver systemd. */
  unit?: PlannedUnit
}

/** How the groups are created. */
interface DriverOptions {
  /** `systemd` if a unit of systemd contains the groups: cgroupsPath is then SLICE:PREFIX:NAME. `cgroupfs` by default. */
  driver?: 'cgroupfs' | 'systemd'
  /** Annotations of the config, of which some are properties of the unit. None by default. */
  annotations?: { readonly [name: string]: string }
}

/**
 * Plans the groups of a container, with everything to write. A user without rights in a hierarchy gets no group there,
 * unless resources need it.
 *
 * @throws OPTION_INVALID, CGROUP_CONTROLLER_MISSING, CGROUP_LIMIT_UNSUPPORTED, CGROUP_NO_DELEGATION, CGROUP_POPULATED, CGROUP_REFUSED,
 * CGROUP_THREADED
 */
export function planContainerGroups(
  cgroupsPath: string | undefined,
  host: Host,
  resources: LinuxResources,
  id: string,
  { driver = 'cgroupfs', annotations = {} }: DriverOptions = {},
): ContainerGroups {
  const unitPlace = driver === 'systemd' ? parseUnitPath(cgroupsPath, id, managerOf(host)) : undefined
  const path = unitPlace ? pathOfUnit(unitPlace, host) : parseCgroupsPath(cgroupsPath, id)
  const trees = mountedTrees(host)
  const isOnlyTree = host.layout === 'v2' && trees.length === 1
  const directories = new Map(trees.map((tree) => [tree, groupIn(tree, path, isOnlyTree)]))
  const places = {
    v1: Object.keys(host.v1),
    v2:
      host.unified && readWords(topLevel(host.unified.mount, directories.get(trees[0]!)!, host), 'cgroup.controllers'),
  }
  const writes = new Map(convertResources(resources, places, readResourceFacts(host, trees)))
  const devices = resources.devices ?? []
  if (host.v1.devices && mayLimitDevices(host)) writes.set('devices', deviceWrites(devices))
  const planned = trees.flatMap((tree) => {
    const own = tree.controllers.flatMap((controller) => writes.get(controller) ?? [])
    const group = planTree(tree, directories.get(tree)!, own, host, isOnlyTree)
    return group ? [{ tree, group }] : []
  })
  return {
    groups: planned.map(({ group }) => (unitPlace ? inUnit(group) : group)),
    ...(unitPlace && { unit: planUnit(unitPlace, resources, id, annotations) }),
    places: planned.flatMap(({ tree, group: { directory } }) =>
      tree.controllers.map((controller) => ({ controller, directory })),
    ),
    ...(host.unified && !host.v1.devices && mayLimitDevices(host) && { deviceFilter: filterDevices(devices) }),
  }
}

/** Returns the group of a unit as an absolute path. A user's units are below the group of that user's systemd. */
function pathOfUnit({ path }: UnitPlace, { uid }: Host): CgroupsPath {
  const above = uid === 0 ? '' : defaultSlice('', uid).controllers
  return { isAbsolute: true, below: `${above}${path}`.slice(1) }
}

/** Changes a planned group for a unit: systemd creates it, and a waiting process in it counts as a task until the start. */
function inUnit(group: PlannedGroup): PlannedGroup {
  const writes = group.writes.map((write) =>
    write.file === 'pids.max' && write.value !== 'max' ? { ...write, value: String(BigInt(write.value) + 1n) } : write,
  )
  return { ...group, writes, exists: true }
}

/**
 * Returns true if this process may limit the use of devices. In another user namespace the kernel refuses this, and
 * allows no new device nodes.
 */
function mayLimitDevices({ uid }: Host): boolean {
  return uid === 0 && isInitialUserNamespace()
}

function planTree(
  tree: MountedTree,
  directory: string,
  writes: readonly ResourceWrite[],
  host: Host,
  isOnlyTree: boolean,
): PlannedGroup | undefined {
  const levels = levelsAbove(tree.mount, directory)
  const missing = levels.filter((level) => !isGroup(level))
  const exists = isGroup(directory)
  const nearest = exists ? directory : (levels.findLast((level) => !missing.includes(level)) ?? tree.mount)
  if (!isWritable(nearest)) {
    if (writes.length === 0) return undefined
    throw fail('CGROUP_NO_DELEGATION', {
      directory: nearest,
      need: `make a group for ${writes[0]!.origin}`,
      user: host.uid,
    })
  }
  if (exists) refuseUsed(directory)
  const group: PlannedGroup = {
    controller: tree.controllers.includes('cpuset') ? 'cpuset' : tree.controllers[0]!,
    directory,
    parent: levels.at(-1)!,
    madeParents: missing,
    enable: [],
    writes: [...writes],
    ...(exists && { exists: true }),
  }
  if (tree.controllers.includes('cpuset')) return { ...group, ...fillCpusets(levels, missing) }
  if (tree.controllers[0] !== '') return group
  const needed = writes.map(({ file }) => controllerOf(file)).filter((name) => name !== 'cgroup')
  return {
    ...group,
    enable: planEnabling(levels, topLevel(tree.mount, directory, host), needed, isOnlyTree),
    writes: writes.map(fitFirstProcess),
  }
}

/** Returns the topmost level at which this user can enable controllers. For root, this is the root of the tree. */
function topLevel(mount: string, directory: string, host: Host): string {
  if (host.uid === 0) return mount
  const levels = levelsAbove(mount, directory).filter(isGroup)
  return levels.find((level) => isWritable(`${level}/cgroup.subtree_control`)) ?? levels.at(-1) ?? mount
}

/**
 * Returns the values that new cpuset groups copy: no process can join a group without CPUs and memory nodes. Existing levels without them
 * are filled, too.
 */
function fillCpusets(levels: readonly string[], missing: readonly string[]): Partial<PlannedGroup> {
  const isFilled = (level: string) => ['cpuset.cpus', 'cpuset.mems'].every((file) => readGroupFile(level, file))
  const source = levels.findLast(isFilled) ?? levels[0]!
  const empty = levels.slice(levels.indexOf(source) + 1).filter((level) => !missing.includes(level))
  return {
    madeParents: [...empty, ...missing],
    inherit: Object.fromEntries(
      ['cpuset.cpus', 'cpuset.mems'].map((file) => [file, readGroupFile(source, file) || '0']),
    ),
  }
}

/**
 * Returns the controllers to enable at each level of the v2 tree. Where v2 is alone these are all that the tree has, so
 * that every figure exists. Beside v1 they are those that writes need.
 *
 * @throws CGROUP_POPULATED, CGROUP_THREADED
 */
function planEnabling(
  levels: readonly string[],
  top: string,
  needed: readonly string[],
  isOnlyTree: boolean,
): PlannedGroup['enable'] {
  let available = readWords(top, 'cgroup.controllers').filter((name) => isOnlyTree || needed.includes(name))
  const enable: PlannedGroup['enable'] = []
  for (const directory of levels.slice(levels.indexOf(top))) {
    const type = readGroupFile(directory, 'cgroup.type')
    if (type !== undefined && type !== 'domain') throw fail('CGROUP_THREADED', { directory, type })
    const enabled = readWords(directory, 'cgroup.subtree_control')
    const controllers = available.filter((name) => !enabled.includes(name))
    // only the root group may have processes and children with controllers
    const processes = type === undefined || controllers.length === 0 ? [] : describeProcesses(directory)
    const prevented = controllers.filter((name) => needed.includes(name))
    if (processes.length > 0 && prevented.length > 0)
      throw fail('CGROUP_POPULATED', {
        directory,
        controllers: prevented.join(', '),
        processes: shortenList(processes),
      })
    if (processes.length > 0) available = available.filter((name) => enabled.includes(name))
    else if (controllers.length > 0) enable.push({ directory, controllers })
  }
  return enable
}

/**
 * Raises a limit of 0 tasks to 1. The first process is created in the group, which 0 would prevent; with that process
 * in the group, 1 refuses every fork, too.
 */
function fitFirstProcess(write: ResourceWrite): ResourceWrite {
  return write.file === 'pids.max' && write.value === '0' ? { ...write, value: '1' } : write
}

/** Refuses an existing group that is not fit for a container. @throws CGROUP_REFUSED */
function refuseUsed(directory: string): void {
  const refuse = (evidence: string, remedy: string) =>
    fail('CGROUP_REFUSED', { what: 'use the group', path: directory, errno: 'EBUSY', evidence: [evidence], remedy })
  const processes = walkGroups(directory).flatMap(describeProcesses)
  if (processes.length > 0)
    throw refuse(
      `container's cgroup is not empty: ${shortenList(processes)}`,
      'give another cgroupsPath, or end these processes',
    )
  const isFrozen =
    readGroupFile(directory, 'cgroup.freeze') === '1' || readGroupFile(directory, 'freezer.state') === 'FROZEN'
  if (isFrozen) throw refuse("container's cgroup unexpectedly frozen", 'thaw it first: hutch cgroup thaw')
}
