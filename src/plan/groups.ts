// SPDX-License-Identifier: Apache-2.0
// Plans the control groups of a run in each hierarchy, from the Spec and the facts about the parent groups. Called by
// plan.ts; pure.

import type { PlannedGroup } from '../cgroup/planned-group.ts'
import { isJobGroup } from '../cgroup/stale-groups.ts'
import {
  controllerOf,
  type LegacyWrite,
  type LimitWrite,
  legacyControllerOf,
  translateLimits,
} from '../cgroup/v1/translate.ts'
import { fail } from '../errors/errors.ts'
import { optionOfRun, text } from '../errors/remedy-text.ts'
import { delegateCommand } from '../host/delegate-hint.ts'
import type { Host } from '../host/host.ts'
import type { Parent } from '../host/parent-group.ts'
import { optionName, optionWithValue } from '../options/names.ts'
import type { GroupPlace, Spec } from '../options/spec.ts'
import { isBelow } from '../text/paths.ts'
import { shellWord } from '../text/quote.ts'
import { limitsDevices, originOf } from './devices.ts'
import { type AppliedOuterLimit, addOuterLimits } from './outer-limits.ts'
import type { PlanFacts } from './plan.ts'
import { refuseLegacyNames, withinShare } from './v1-limits.ts'

/**
 * The control groups of a run: groups to create, existing groups to enter, and limits of groups that contain the caller
 * but not the job.
 */
export interface Groups {
  groups: PlannedGroup[]
  entered: readonly GroupPlace[]
  outer: AppliedOuterLimit[]
}

/** Controllers that give the figures in every report. They are enabled even without limits, if the host has them. */
const accounting = ['memory', 'pids']

/** Returns the name of a job's group. cgroup/stale-groups.ts parses it to find groups of ended processes. */
export function groupName(host: Host, serial: number): string {
  const { pid, startTime, pidNamespace } = host.owner
  return `hutch-${pid}-${startTime}-${pidNamespace}-${serial}`
}

/** Plans which groups a run creates or enters. @throws CGROUP_*, OPTION_CONFLICT */
export function planGroups(spec: Spec, facts: PlanFacts, devices: readonly LegacyWrite[]): Groups {
  if (spec.group && 'enter' in spec.group)
    return { groups: [], entered: enteredGroups(spec, spec.group.enter), outer: [] }
  const planned =
    facts.host.layout === 'v2' ? planUnified(spec, facts) : { groups: planLegacy(spec, facts, devices), outer: [] }
  return { ...planned, entered: [] }
}

/** Returns the existing groups for the command to enter. Their limits and devices are not changed. */
function enteredGroups(spec: Spec, places: readonly GroupPlace[]): readonly GroupPlace[] {
  const needs = needsOf(spec) || (limitsDevices(spec) && originOf(spec))
  if (!needs) return places
  throw fail('OPTION_CONFLICT', {
    name: needs,
    why: 'the command enters an existing group, which other processes may share',
    remedy: `leave it out, or change the group: hutch cgroup set ${shellWord(places[0]?.directory ?? '')} FILE=VALUE`,
  })
}

/** Returns the directory of the job's group, which is below `parent`. */
function groupDirectory({ group }: Spec, { directory }: Parent, { host, serial }: PlanFacts): string {
  if (!group || !('name' in group)) return `${directory}/${groupName(host, serial)}`
  const { name } = group
  // refuse a name of the form that the clean-up of stale groups uses to decide what it may remove
  const why = /[/\0\n]|^\.{0,2}$/.test(name)
    ? 'not a file name'
    : isJobGroup(name)
      ? 'hutch gives such names itself'
      : ''
  if (why) throw fail('OPTION_INVALID', { name: 'group', value: name, why, accepted: 'a name such as web-1' })
  return `${directory}/${name}`
}

function planUnified(spec: Spec, facts: PlanFacts): Omit<Groups, 'entered'> {
  const parent = facts.parents.get('')!
  refuseMissing(spec, parent)
  refuseLegacyNames(spec)
  for (const limit of spec.limits) {
    const controller = controllerOf(limit.file)
    if (controller === 'cgroup' || parent.available.includes(controller)) continue
    throw missingController(controller, limit, parent, facts.host)
  }
  if (!usable(parent, spec, facts)) return { groups: [], outer: [] }
  const { limits, outer } = addOuterLimits(spec.limits, parent.outer, parent.available)
  const requested = [...new Set(limits.map((limit) => controllerOf(limit.file)))].filter((name) => name !== 'cgroup')
  const wanted = [
    ...requested,
    ...accounting.filter((name) => parent.available.includes(name) && !requested.includes(name)),
  ]
  const enable = enabling(parent, wanted, requested, spec)
  const group = {
    controller: '',
    parent: parent.directory,
    madeParents: [],
    directory: groupDirectory(spec, parent, facts),
    enable,
    writes: orderLimits(limits),
  }
  return { groups: [group], outer }
}

/**
 * Returns the controllers to enable in each level down to the parent. `wanted` are all useful controllers; `requested` are
 * those that limits need, without which the job cannot start.
 */
function enabling(parent: Parent, wanted: string[], requested: string[], spec: Spec): PlannedGroup['enable'] {
  const enable = parent.levels
    .map(({ directory, enabled }) => ({ directory, controllers: wanted.filter((name) => !enabled.includes(name)) }))
    .filter(({ controllers }) => controllers.length > 0)
  const inParent = enable.find(({ directory }) => directory === parent.directory)?.controllers ?? []
  // below a group of the type "domain threaded", a new group is "domain invalid" and accepts no process
  if (parent.type !== undefined && parent.type !== 'domain')
    throw fail('CGROUP_THREADED', { directory: parent.directory, type: parent.type })
  // enabling a controller in a group with processes makes it "domain threaded" (pids, cpu) or fails (memory)
  if (parent.type === undefined || parent.processes.length === 0 || inParent.length === 0 || spec.evacuate)
    return enable
  // fail only if a limit needs a controller; without its figures, the job can still run
  if (requested.some((name) => inParent.includes(name)))
    throw fail('CGROUP_POPULATED', {
      directory: parent.directory,
      controllers: inParent.join(', '),
      processes: listed(parent.processes),
    })
  return []
}

/** Refuses a parent group that does not exist on v2. Only v1 has several hierarchies, where missing levels are created. */
function refuseMissing({ parent: path }: Spec, parent: Parent): void {
  if (path !== undefined && !parent.exists)
    throw fail('CGROUP_PARENT_MISSING', {
      directory: parent.directory,
      remedy: text`create it first: hutch cgroup create /${path}; or name another with ${optionOfRun('parent')}`,
    })
}

/** Sorts limits into the order of writing: memory.max comes before the limits that depend on it, such as memory.swap.max. */
function orderLimits(limits: readonly LimitWrite[]): LimitWrite[] {
  return [...limits].sort((a, b) => Number(b.file === 'memory.max') - Number(a.file === 'memory.max'))
}

function planLegacy(spec: Spec, facts: PlanFacts, devices: readonly LegacyWrite[]): PlannedGroup[] {
  const { host } = facts
  const oomGroup = (limit: LimitWrite) => limit.file === 'memory.oom.group'
  const beside = facts.parents.get('')
  const unifiedOnly = spec.limits.filter(({ file }) => isUnified(file, host, beside))
  refuseLegacyNames({ ...spec, limits: unifiedOnly })
  const writes = [
    ...translateLimits(
      withinShare(spec.limits, facts.share).filter((limit) => !oomGroup(limit) && !unifiedOnly.includes(limit)),
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
  const requested = writes.map((write) => write.controller)
  const counting = cpuTimeController(spec, host, requested)
  if (counting !== undefined) requested.push(counting)
  const joined = [...facts.parents].filter(([, parent]) => parent.joined).map(([name]) => name)
  const wanted = new Set([
    ...(host.unified ? [''] : []),
    ...accounting.filter((name) => host.v1[name]),
    ...requested,
    ...joined,
  ])
  const besideControllers = [...new Set(unifiedOnly.map(({ file }) => controllerOf(file)))].filter(
    (name) => name !== 'cgroup',
  )
  return [...wanted].flatMap((controller): PlannedGroup[] => {
    const parent = facts.parents.get(controller)!
    const needed = requested.includes(controller) || (controller === '' && besideControllers.length > 0)
    if (!usable(parent, spec, facts, needed)) return []
    const directory = groupDirectory(spec, parent, facts)
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

/**
 * Returns true if a limit's file belongs to the v2 tree. This is so for files of every v2 group, and on a hybrid host
 * for controllers that only v2 has.
 */
function isUnified(file: string, host: Host, beside: Parent | undefined): boolean {
  const controller = controllerOf(file)
  return controller === 'cgroup' || (!host.v1[legacyControllerOf(file)] && !!beside?.available.includes(controller))
}

/**
 * Returns true if groups can be created below the parent. If they cannot, returns false for a run that needs no group,
 * and throws for a run that has limits.
 */
function usable(parent: Parent, spec: Spec, facts: PlanFacts, needed = needsOf(spec) !== ''): boolean {
  if (parent.writable) return true
  if (!needed && (spec.parent === undefined || !parent.exists)) return false
  if (!parent.exists && spec.parent !== undefined)
    throw fail('CGROUP_PARENT_MISSING', {
      directory: parent.directory,
      user: facts.host.uid,
      remedy: text`as root: ${createParent(spec.parent, parent, facts.host)}; or name another with ${optionOfRun('parent')}`,
    })
  if (facts.host.uid === 0)
    throw fail('CGROUP_REFUSED', {
      what: 'make a group below',
      path: parent.directory,
      errno: 'EROFS',
      evidence: [`requested by ${needsOf(spec) || optionName('parent', spec.frontend)}`],
      remedy: 'in a container: start it with a private cgroup namespace and a writable /sys/fs/cgroup',
    })
  throw fail('CGROUP_NO_DELEGATION', {
    directory: parent.directory,
    need: `make a group for ${needsOf(spec) || optionName('parent', spec.frontend)}`,
    user: facts.host.uid,
    ...(spec.sandbox && { without: withoutGroups(spec) }),
  })
}

/** Returns the command that creates the parent for this user in the hierarchy that lacks it. root must run the command. */
function createParent(path: string, { directory }: Parent, { v1, uid }: Host): string {
  const controller = Object.keys(v1).find((name) => isBelow(directory, v1[name]!.mount))
  const owner = `${uid}:${uid}`
  return controller === undefined
    ? `mkdir -p ${shellWord(directory)}; chown -R ${owner} ${shellWord(directory)}`
    : `hutch cgcreate -a ${owner} -t ${owner} -g ${controller}:${shellWord(path)}`
}

/** Returns how to request the sandbox without control groups, for an error's remedy. Names only options that the caller gave. */
function withoutGroups({ limits, cpuTimeMs, frontend }: Spec): string {
  const [none, time] = [optionWithValue('limits', 'none', frontend)!, optionName('cpuTime', frontend)]
  const ways = [limits.length > 0 && `with ${none}`, cpuTimeMs !== undefined && `without ${time}`]
  return ways.filter(Boolean).join(' and ')
}

/** Returns the options that need a control group, for errors. */
export function needsOf({ limits, cpuTimeMs, frontend }: Spec): string {
  const origins = limits.map((limit) => limit.origin)
  if (cpuTimeMs !== undefined) origins.push(optionName('cpuTime', frontend))
  return origins.join(', ')
}

/**
 * Returns the key of the hierarchy that counts CPU time: '' for the v2 tree, even beside v1. On v1 it is cpuacct, or
 * cpu if both are in one hierarchy and a group exists there.
 */
function cpuTimeController(spec: Spec, { unified, v1 }: Host, requested: readonly string[]): string | undefined {
  if (spec.cpuTimeMs === undefined) return undefined
  if (unified) return ''
  if (!v1.cpuacct)
    throw fail('CGROUP_CONTROLLER_MISSING', {
      controller: 'cpuacct',
      origin: needsOf({ ...spec, limits: [] }),
      where: 'cgroup v1',
      available: Object.keys(v1).join(', '),
    })
  return requested.includes('cpu') && v1.cpu?.mount === v1.cpuacct.mount ? 'cpu' : 'cpuacct'
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

/**
 * Returns the groups to which the job's memory is charged in addition to its own group, without the root group. If the
 * job has no group, these are the caller's group and its ancestors.
 */
export function memoryLevels({ groups, entered }: Groups, host: Host): GroupPlace[] {
  const controller = host.layout === 'v2' ? '' : 'memory'
  const hierarchy = controller === '' ? host.unified : host.v1[controller]
  if (!hierarchy) return []
  const isCharged = (place: { controller: string }) => place.controller === controller
  const nearest = groups.find(isCharged)?.parent ?? entered.find(isCharged)?.directory ?? hierarchy.own
  const levels: GroupPlace[] = []
  for (let at = nearest; at.length > hierarchy.mount.length; at = at.slice(0, at.lastIndexOf('/')))
    levels.push({ controller, directory: at })
  return levels
}

function listed(processes: string[]): string {
  const shown = processes.slice(0, 5).join(', ')
  return processes.length > 5 ? `${shown} and ${processes.length - 5} more` : shown
}
