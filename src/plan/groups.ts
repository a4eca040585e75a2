// SPDX-License-Identifier: Apache-2.0
// Plans the groups of a run in each hierarchy, from the Spec and the state of their parents. Called by plan.ts; pure.

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
import type { Spec } from '../options/spec.ts'
import { isBelow } from '../text/paths.ts'
import { shellWord } from '../text/quote.ts'
import { type AppliedOuterLimit, addOuterLimits } from './outer-limits.ts'
import type { PlanFacts } from './plan.ts'
import { refuseLegacyNames, withinShare } from './v1-limits.ts'

/** A group to create. */
export interface PlannedGroup {
  /** Controller of a v1 hierarchy, or '' for the v2 tree. */
  controller: string
  directory: string
  /** Levels of --parent that this hierarchy lacks, outermost first. hutch creates them, and removes them when they are empty. */
  madeParents: string[]
  /** v2: controllers to enable first, level by level. */
  enable: { directory: string; controllers: string[] }[]
  parent: string
  writes: LimitWrite[]
  /** v1 cpuset: values of the parent, which a new group does not inherit. */
  inherit?: { [file: string]: string }
}

/** Controllers whose figures every run reports, if the host has them. */
const accounting = ['memory', 'pids']

/** Returns the name of a job's group; cgroup/stale-groups.ts parses it. */
export function groupName(host: Host, serial: number): string {
  const { pid, startTime, pidNamespace } = host.owner
  return `hutch-${pid}-${startTime}-${pidNamespace}-${serial}`
}

export function planUnified(spec: Spec, facts: PlanFacts): { groups: PlannedGroup[]; outer: AppliedOuterLimit[] } {
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
    directory: `${parent.directory}/${groupName(facts.host, facts.serial)}`,
    enable,
    writes: orderLimits(limits),
  }
  return { groups: [group], outer }
}

/**
 * Returns the controllers that each level down to the parent must still enable. `asked` are the controllers of limits, without which the
 * job cannot start.
 */
function enabling(parent: Parent, wanted: string[], requested: string[], spec: Spec): PlannedGroup['enable'] {
  const enable = parent.levels
    .map(({ directory, enabled }) => ({ directory, controllers: wanted.filter((name) => !enabled.includes(name)) }))
    .filter(({ controllers }) => controllers.length > 0)
  const inParent = enable.find(({ directory }) => directory === parent.directory)?.controllers ?? []
  // below a "domain threaded" group, a new group is "domain invalid" and accepts no process
  if (parent.type !== undefined && parent.type !== 'domain')
    throw fail('CGROUP_THREADED', { directory: parent.directory, type: parent.type })
  // enabling would make a populated group "domain threaded" (pids, cpu), or fail (memory)
  if (parent.type === undefined || parent.processes.length === 0 || inParent.length === 0 || spec.evacuate)
    return enable
  // do not fail for figures that were not requested
  if (requested.some((name) => inParent.includes(name)))
    throw fail('CGROUP_POPULATED', {
      directory: parent.directory,
      controllers: inParent.join(', '),
      processes: listed(parent.processes),
    })
  return []
}

/** Refuses a parent that does not exist on v2, which has only one tree. */
function refuseMissing({ parent: path }: Spec, parent: Parent): void {
  if (path !== undefined && !parent.exists)
    throw fail('CGROUP_PARENT_MISSING', {
      directory: parent.directory,
      remedy: text`create it first: hutch cgroup create /${path}; or name another with ${optionOfRun('parent')}`,
    })
}

/** Sorts limits: memory.max comes before memory.swap.max and the protections, which depend on it. */
function orderLimits(limits: readonly LimitWrite[]): LimitWrite[] {
  return [...limits].sort((a, b) => Number(b.file === 'memory.max') - Number(a.file === 'memory.max'))
}

export function planLegacy(spec: Spec, facts: PlanFacts, devices: readonly LegacyWrite[]): PlannedGroup[] {
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
    const directory = `${parent.directory}/${groupName(host, facts.serial)}`
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

/** Returns true if a file is in the v2 tree: a file of every v2 group, or of a v2 controller on a hybrid host. */
function isUnified(file: string, host: Host, beside: Parent | undefined): boolean {
  const controller = controllerOf(file)
  return controller === 'cgroup' || (!host.v1[legacyControllerOf(file)] && !!beside?.available.includes(controller))
}

/** Returns true if the parent can be used. Returns false if a run without limits can do without a group; throws if it has limits. */
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

/** Returns this user's command that creates the parent in the hierarchy that lacks it. */
function createParent(path: string, { directory }: Parent, { v1, uid }: Host): string {
  const controller = Object.keys(v1).find((name) => isBelow(directory, v1[name]!.mount))
  const owner = `${uid}:${uid}`
  return controller === undefined
    ? `mkdir -p ${shellWord(directory)}; chown -R ${owner} ${shellWord(directory)}`
    : `hutch cgcreate -a ${owner} -t ${owner} -g ${controller}:${shellWord(path)}`
}

/** Returns how to request a sandbox without groups. Names only options that were given. */
function withoutGroups({ limits, cpuTimeMs, frontend }: Spec): string {
  const [none, time] = [optionWithValue('limits', 'none', frontend)!, optionName('cpuTime', frontend)]
  const ways = [limits.length > 0 && `with ${none}`, cpuTimeMs !== undefined && `without ${time}`]
  return ways.filter(Boolean).join(' and ')
}

/** Returns the options that need a group. */
export function needsOf({ limits, cpuTimeMs, frontend }: Spec): string {
  const origins = limits.map((limit) => limit.origin)
  if (cpuTimeMs !== undefined) origins.push(optionName('cpuTime', frontend))
  return origins.join(', ')
}

/** Returns the key of the hierarchy that counts CPU time: '' for a v2 tree beside v1, or cpu if cpuacct shares its mount. */
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
 * Returns the levels to which the job's memory is charged, without the root: those above its own group, or the caller's group and those
 * above.
 */
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
