// SPDX-License-Identifier: Apache-2.0
// Spec + the state of parents → the groups of a run, in each hierarchy. Pure; part of plan.ts.

import {
  controllerOf,
  type LegacyWrite,
  type LimitWrite,
  legacyControllerOf,
  translateLimits,
} from '../cgroup/v1/translate.ts'
import { fail } from '../errors/errors.ts'
import { optionOfRun } from '../errors/front-door.ts'
import { delegateCommand } from '../host/delegate-hint.ts'
import type { Host } from '../host/host.ts'
import type { Parent } from '../host/parent-group.ts'
import { optionName, optionWithValue } from '../options/names.ts'
import type { Spec } from '../options/spec.ts'
import { isBelow } from '../text/paths.ts'
import { shellWord } from '../text/quote.ts'
import { type AppliedOuterLimit, addOuterLimits } from './outer-limits.ts'
import type { Surroundings } from './plan.ts'
import { refuseLegacyNames, withinShare } from './v1-limits.ts'

/** One group to be made. */
export interface PlannedGroup {
  /** '' for the v2 tree. */
  controller: string
  directory: string
  /** Made only if missing, the outermost first, and then removed when empty: levels of a --parent that this hierarchy lacks. */
  madeParents: string[]
  /** v2: controllers to be enabled first, level by level. */
  enable: { directory: string; controllers: string[] }[]
  parent: string
  writes: LimitWrite[]
  /** v1 cpuset: what the parent has, which a new group does not inherit. */
  inherit?: { [file: string]: string }
}

/** Controllers whose figures every run wants, where the host has them. */
const accounting = ['memory', 'pids']

/** Name of a job's group; cgroup/stale-groups.ts reads it back. */
export function groupName(host: Host, serial: number): string {
  const { pid, startTime, pidNamespace } = host.owner
  return `hutch-${pid}-${startTime}-${pidNamespace}-${serial}`
}

export function planUnified(spec: Spec, around: Surroundings): { groups: PlannedGroup[]; outer: AppliedOuterLimit[] } {
  const parent = around.parents.get('')!
  refuseMissing(spec, parent)
  refuseLegacyNames(spec)
  for (const limit of spec.limits) {
    const controller = controllerOf(limit.file)
    if (controller === 'cgroup' || parent.available.includes(controller)) continue
    throw missingController(controller, limit, parent, around.host)
  }
  if (!usable(parent, spec, around)) return { groups: [], outer: [] }
  const { limits, outer } = addOuterLimits(spec.limits, parent.outer, parent.available)
  const asked = [...new Set(limits.map((limit) => controllerOf(limit.file)))].filter((name) => name !== 'cgroup')
  const wanted = [...asked, ...accounting.filter((name) => parent.available.includes(name) && !asked.includes(name))]
  const enable = enabling(parent, wanted, asked, spec)
  const group = {
    controller: '',
    parent: parent.directory,
    madeParents: [],
    directory: `${parent.directory}/${groupName(around.host, around.serial)}`,
    enable,
    writes: orderLimits(limits),
  }
  return { groups: [group], outer }
}

/** What each level down to the parent has yet to hand on. `asked`: controllers of limits, without which there is no start. */
function enabling(parent: Parent, wanted: string[], asked: string[], spec: Spec): PlannedGroup['enable'] {
  const enable = parent.chain
    .map(({ directory, enabled }) => ({ directory, controllers: wanted.filter((name) => !enabled.includes(name)) }))
    .filter(({ controllers }) => controllers.length > 0)
  const inParent = enable.find(({ directory }) => directory === parent.directory)?.controllers ?? []
  // below "domain threaded" a new group is "domain invalid" until it is made threaded, and takes no process
  if (parent.type !== undefined && parent.type !== 'domain')
    throw fail('CGROUP_THREADED', { directory: parent.directory, type: parent.type })
  // a populated group would become "domain threaded" (pids, cpu) or refuse (memory): neither is what was asked
  if (parent.type === undefined || parent.processes.length === 0 || inParent.length === 0 || spec.evacuate)
    return enable
  // figures that nobody asked for are not worth a failure
  if (asked.some((name) => inParent.includes(name)))
    throw fail('CGROUP_POPULATED', {
      directory: parent.directory,
      controllers: inParent.join(', '),
      processes: listed(parent.processes),
    })
  return []
}

/** v2 has one tree, so a parent that is not in it is a name that was mistyped. */
function refuseMissing({ parent: path }: Spec, parent: Parent): void {
  if (path !== undefined && !parent.exists)
    throw fail('CGROUP_PARENT_MISSING', {
      directory: parent.directory,
      remedy: `create it first: hutch cgroup create /${path}; or name another with ${optionOfRun('parent')}`,
    })
}

/** memory.max before memory.swap.max and the protections: each then stands within the one before. */
function orderLimits(limits: readonly LimitWrite[]): LimitWrite[] {
  return [...limits].sort((a, b) => Number(b.file === 'memory.max') - Number(a.file === 'memory.max'))
}

export function planLegacy(spec: Spec, around: Surroundings, devices: readonly LegacyWrite[]): PlannedGroup[] {
  const { host } = around
  const oomGroup = (limit: LimitWrite) => limit.file === 'memory.oom.group'
  const beside = around.parents.get('')
  const unifiedOnly = spec.limits.filter(({ file }) => isUnified(file, host, beside))
  refuseLegacyNames({ ...spec, limits: unifiedOnly })
  const writes = [
    ...translateLimits(
      withinShare(spec.limits, around.share).filter((limit) => !oomGroup(limit) && !unifiedOnly.includes(limit)),
    ),
    ...devices,
  ]
  for (const write of writes)
    if (!host.v1[write.controller])
      throw fail('CGROUP_CONTROLLER_MISSING', {
        controller: write.controller,
        origin: write.origin,
        where: 'cgroup v1',
        available: [...Object.keys(host.v1), ...(beside?.available ?? [])].join(', '),
      })
  for (const limit of spec.limits.filter(oomGroup))
    if (limit.value === '1' && (!host.v1.memory || !host.unified))
      throw fail('CGROUP_LIMIT_UNSUPPORTED', {
        file: limit.file,
        origin: limit.origin,
        why: 'on cgroup v1 it needs a v2 tree for the kill',
        remedy: 'mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified, or leave it out',
      })
  const asked = writes.map((write) => write.controller)
  const counting = cpuTimeController(spec, host, asked)
  if (counting !== undefined) asked.push(counting)
  const joined = [...around.parents].filter(([, parent]) => parent.joined).map(([name]) => name)
  const wanted = new Set([
    ...(host.unified ? [''] : []),
    ...accounting.filter((name) => host.v1[name]),
    ...asked,
    ...joined,
  ])
  const besideControllers = [...new Set(unifiedOnly.map(({ file }) => controllerOf(file)))].filter(
    (name) => name !== 'cgroup',
  )
  return [...wanted].flatMap((controller): PlannedGroup[] => {
    const parent = around.parents.get(controller)!
    const needed = asked.includes(controller) || (controller === '' && besideControllers.length > 0)
    if (!usable(parent, spec, around, needed)) return []
    const directory = `${parent.directory}/${groupName(host, around.serial)}`
    const own = controller === '' ? unifiedOnly : writes.filter((write) => write.controller === controller)
    return [
      {
        controller,
        parent: parent.directory,
        directory,
        enable:
          controller === '' && besideControllers.length > 0
            ? enabling(parent, besideControllers, besideControllers, spec)
            : [],
        writes: own,
        madeParents: parent.missing,
        ...(parent.inherit && { inherit: parent.inherit }),
      },
    ]
  })
}

/** Files of every v2 group, and those of controllers that are in the v2 tree beside v1's hierarchies. */
function isUnified(file: string, host: Host, beside: Parent | undefined): boolean {
  const controller = controllerOf(file)
  return controller === 'cgroup' || (!host.v1[legacyControllerOf(file)] && !!beside?.available.includes(controller))
}

/** Without root and delegation a run without limits needs no group; one with limits cannot be. */
function usable(parent: Parent, spec: Spec, around: Surroundings, needed = needsOf(spec) !== ''): boolean {
  if (parent.writable) return true
  if (!needed && (spec.parent === undefined || !parent.exists)) return false
  if (!parent.exists && spec.parent !== undefined)
    throw fail('CGROUP_PARENT_MISSING', {
      directory: parent.directory,
      user: around.host.uid,
      remedy: `as root: ${createParent(spec.parent, parent, around.host)}; or name another with ${optionOfRun('parent')}`,
    })
  if (around.host.uid === 0)
    throw fail('CGROUP_REFUSED', {
      what: 'make a group below',
      path: parent.directory,
      errno: 'EROFS',
      evidence: [`requested by ${needsOf(spec) || optionName('parent', spec.door)}`],
      remedy: 'in a container: start it with a private cgroup namespace and a writable /sys/fs/cgroup',
    })
  throw fail('CGROUP_NO_DELEGATION', {
    directory: parent.directory,
    need: `make a group for ${needsOf(spec) || optionName('parent', spec.door)}`,
    user: around.host.uid,
    ...(spec.sandbox && { without: withoutGroups(spec) }),
  })
}

/** The command that makes the parent in the hierarchy that lacks it, for this user. */
function createParent(path: string, { directory }: Parent, { v1, uid }: Host): string {
  const controller = Object.keys(v1).find((name) => isBelow(directory, v1[name]!.mount))
  const owner = `${uid}:${uid}`
  return controller === undefined
    ? `mkdir -p ${shellWord(directory)}; chown -R ${owner} ${shellWord(directory)}`
    : `hutch cgcreate -a ${owner} -t ${owner} -g ${controller}:${shellWord(path)}`
}

/** How to ask for a sandbox that needs no group: what was not asked for need not be given up. */
function withoutGroups({ limits, cpuTimeMs, door }: Spec): string {
  const [none, time] = [optionWithValue('limits', 'none', door)!, optionName('cpuTime', door)]
  const ways = [limits.length > 0 && `with ${none}`, cpuTimeMs !== undefined && `without ${time}`]
  return ways.filter(Boolean).join(' and ')
}

/** The options that take a group. */
export function needsOf({ limits, cpuTimeMs, door }: Spec): string {
  const origins = limits.map((limit) => limit.origin)
  if (cpuTimeMs !== undefined) origins.push(optionName('cpuTime', door))
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
      remedy: `run without it: ${limit.origin.startsWith('--') ? limit.origin.replace(/ .*/, ' max') : limit.origin.replace(/ .*/, ": 'max'")}; or enable the controller (hutch doctor says how)`,
    }),
    ...(host.home !== undefined && host.uid !== 0 && { remedy: delegateCommand([controller], host.uid) }),
  })
}

/** Where the job's memory is charged: the levels above its own group, or the caller's group and those above it; not the root. */
export function memoryLevels(groups: readonly PlannedGroup[], host: Host): { controller: string; directory: string }[] {
  const controller = host.layout === 'v2' ? '' : 'memory'
  const hierarchy = controller === '' ? host.unified : host.v1[controller]
  if (!hierarchy) return []
  const nearest = groups.find((group) => group.controller === controller)?.parent ?? hierarchy.own
  const levels: { controller: string; directory: string }[] = []
  for (let at = nearest; at.length > hierarchy.mount.length; at = at.slice(0, at.lastIndexOf('/')))
    levels.push({ controller, directory: at })
  return levels
}

function listed(processes: string[]): string {
  const shown = processes.slice(0, 5).join(', ')
  return processes.length > 5 ? `${shown} and ${processes.length - 5} more` : shown
}
