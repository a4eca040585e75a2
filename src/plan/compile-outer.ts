// SPDX-License-Identifier: Apache-2.0
// Compiles the outer section of a Plan: the groups, the start of the child, and the wait for its end. Called by
// compile.ts; pure.
import type { PlannedGroup } from '../cgroup/planned-group.ts'
import { changesOf } from '../mounts/mount-ops.ts'
import { mapWords, reservedId } from '../namespaces/id-map.ts'
import { cloneFlags } from '../namespaces/namespace.ts'
import { lifetimes } from '../ops/groups.ts'
import { type Op, sessions } from '../ops/ops.ts'
import type { ContainerSpec } from '../options/container-spec.ts'
import { specFrontends } from '../options/frontends.ts'
import type { Spec } from '../options/spec.ts'
import { endOps, keepsGroup, levelReads, waitOps, watchOps } from './compile-rest.ts'
import { originOf } from './devices.ts'
import type { Plan } from './plan.ts'
import { clonedKinds, continuesAsSibling, joinsLate } from './processes.ts'

/** Compiles the outer section. It depends on the inner section, which receives the mounts that the outer section sends. */
export function compileOuter(plan: Plan, inner: readonly Op[]): Op[] {
  const { groups, spec } = plan
  const late = joinsLate(plan) ? groups.filter(({ controller }) => controller !== '') : []
  const outer = makeGroups(
    groups.filter((group) => !late.includes(group)),
    spec,
  )
  const unified = groups.find((group) => group.controller === '')
  if (plan.deviceFilter && unified)
    outer.push({
      op: 'attachDeviceFilter',
      group: unified.directory,
      program: plan.deviceFilter,
      origin: originOf(spec),
    })
  const watches = spec.rest !== 'nobody'
  if (watches) outer.push(...levelReads(plan), ...watchOps(plan, late, false))
  const supervised = plan.filter?.supervise
  if (plan.filter && supervised)
    outer.push({
      op: 'superviseCalls',
      answers: plan.filter.words,
      arguments: supervised.arguments,
      learns: Number(supervised.learns),
      origin: supervised.learns ? 'learn' : 'seccompReport',
    })
  if (spec.container) outer.push(...gateOps(spec.container))
  outer.push({
    op: 'spawn',
    flags: cloneFlags(clonedKinds(plan)),
    group: unified?.directory ?? plan.entered.find(({ controller }) => controller === '')?.directory ?? '',
    session: sessionOf(spec),
    origin: 'isolate',
  })
  outer.push(...mapIds(plan))
  if (continuesAsSibling(plan)) outer.push({ op: 'followSibling', origin: 'join' })
  outer.push(...sendMapped(plan, inner))
  if (late.length > 0)
    outer.push(...makeGroups(late, spec), ...(watches ? watchOps(plan, late, true) : []), {
      op: 'sendGo',
      origin: 'run',
    })
  if (!watches) return [...outer, { op: 'detach', origin: 'run' }]
  return [...outer, ...waitOps(plan), ...endOps(plan, !keepsGroup(spec))]
}

/** Returns the operations before the start of a container's process. */
function gateOps({ affinity, waitsBeforeRoot, startSocket }: ContainerSpec): Op[] {
  return [
    ...(affinity?.initial ? [{ op: 'spawnOn', processors: affinity.initial, origin: 'run' } as const] : []),
    ...(waitsBeforeRoot || startSocket !== undefined ? [{ op: 'watchReady', orders: 0, origin: 'run' } as const] : []),
  ]
}

/** Returns the session of the child. A container's process makes its own, also if it has the caller's terminal. */
function sessionOf({ container, frontend }: Spec): number {
  if (container) return sessions.kept
  return sessions[specFrontends[frontend].oneJob ? 'own' : 'library']
}

function makeGroups(groups: readonly PlannedGroup[], spec: Spec): Op[] {
  const lifetime = lifetimes[keepsGroup(spec) ? 'container' : 'job']
  return [
    ...groups.flatMap((group) => makeGroup(group, lifetime)),
    ...groups.flatMap((group) => group.writes.map((write) => writeOp(group, write.file, write.value, write.origin))),
  ]
}

function makeGroup(group: PlannedGroup, lifetime: number): Op[] {
  const made = group.madeParents.flatMap((path): Op[] => [
    { op: 'makeGroup', path, lifetime: lifetimes.shared, origin: 'parent' },
    ...(group.controller === 'cpuset' ? fillCpuset(path, group) : []),
  ])
  for (const { directory, controllers } of group.enable)
    made.push({
      op: 'writeFile',
      path: `${directory}/cgroup.subtree_control`,
      value: controllers.map((name) => `+${name}`).join(' '),
      origin: 'run',
    })
  made.push({
    op: 'makeGroup',
    path: group.directory,
    lifetime: group.exists ? lifetimes.shared : lifetime,
    origin: 'run',
  })
  if (group.controller === 'cpuset') made.push(...fillCpuset(group.directory, group))
  return made
}

/**
 * Returns the operations that copy CPUs and memory nodes from the parent to a v1 cpuset group, because no process can
 * join one without them.
 */
function fillCpuset(path: string, { directory, writes, inherit }: PlannedGroup): Op[] {
  return ['cpuset.cpus', 'cpuset.mems']
    .filter((file) => path !== directory || !writes.some((write) => write.file === file))
    .map((file) => ({ op: 'writeFile', path: `${path}/${file}`, value: inherit?.[file] ?? '0', origin: 'run' }))
}

function writeOp(group: PlannedGroup, file: string, value: string, origin: string): Op {
  return { op: 'writeFile', path: `${group.directory}/${file}`, value, origin }
}

function mapIds({ userNamespace: maps, spec }: Plan): Op[] {
  if (!maps) return []
  const reserves = [...maps.users, ...maps.groups].some(({ outside }) => outside === reservedId)
  return [
    ...(reserves ? [{ op: 'reserveIds', origin: 'sandbox' } as const] : []),
    {
      op: 'mapIds',
      users: mapWords(maps.users),
      groups: mapWords(maps.groups),
      denySetgroups: Number(maps.denySetgroups),
      userTool: maps.userTool,
      groupTool: maps.groupTool,
      origin: spec.mapUsers || spec.container?.maps ? 'mapUsers' : spec.mapGroups ? 'mapGroups' : 'isolate',
    },
  ]
}

/** Returns the operations that send mounts with mapped ids to the child, in the order in which the child receives them. */
function sendMapped({ spec }: Plan, inner: readonly Op[]): Op[] {
  return inner.flatMap((op): Op[] => {
    if (op.op !== 'attachSent') return []
    const mount = spec.root!.mounts.find(
      (one) =>
        one.idmap && one.source === op.source && (one.target === op.target || one.target.endsWith(`/${op.target}`)),
    )
    if (!mount) return []
    const { source, absent = 0, recursive, maps, mapsBelow = recursive, origin } = mount
    return [
      {
        op: 'sendMapped',
        source,
        attributes: mount.top ? 0 : mount.flags,
        absent,
        recursive: Number(recursive),
        changes: changesOf(mount),
        users: mapWords(maps?.users ?? []),
        groups: mapWords(maps?.groups ?? []),
        whole: Number(mapsBelow ?? false),
        namespace: spec.joins.find(({ kind }) => kind === 'user')?.path ?? '',
        origin,
      },
    ]
  })
}
