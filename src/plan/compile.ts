// SPDX-License-Identifier: Apache-2.0
// Compiles a Plan to a Program: the operations of a job in order. Comments give the reason wherever the order matters.
// Pure.
import type { PlannedGroup } from '../cgroup/planned-group.ts'
import { changesOf, receivesMounts } from '../mounts/mount-ops.ts'
import { privateProc, privatePropagation } from '../mounts/private-mounts.ts'
import { rootOps } from '../mounts/root.ts'
import { mapWords, reservedId } from '../namespaces/id-map.ts'
import { cloneFlags, type NamespaceKind, namespaces } from '../namespaces/namespace.ts'
import { lifetimes } from '../ops/groups.ts'
import { type Op, type Program, sessions } from '../ops/ops.ts'
import { specFrontends } from '../options/frontends.ts'
import type { Spec } from '../options/spec.ts'
import { groupMounts, viewGroups } from './compile-groups.ts'
import { compilePrivileges } from './compile-privileges.ts'
import { endOps, keepsGroup, levelReads, waitOps, watchOps } from './compile-rest.ts'
import { originOf } from './devices.ts'
import { networkLine, runsAs } from './network.ts'
import type { Plan } from './plan.ts'
import { clonedKinds, joinsLate, reaps, staysOutside } from './processes.ts'

const sigkill = 9

/**
 * Lowers a user's limits of inotify in the job's user namespace. The kernel counts inotify instances for the user who
 * created the namespace, so all jobs of a caller share the default of 128 (inotify(7)).
 */
const userCounts: readonly Op[] = [
  { op: 'limitUserCount', path: '/proc/sys/user/max_inotify_instances', value: '16', origin: 'isolate' },
  { op: 'limitUserCount', path: '/proc/sys/user/max_inotify_watches', value: '8192', origin: 'isolate' },
]

/** Compiles both sections of a program, `outer` and `inner`. The program is then run, or described by --explain. */
export function compilePlan(plan: Plan): Program {
  const inner = compileInner(plan)
  return { outer: compileOuter(plan, inner), inner }
}

function compileOuter(plan: Plan, inner: readonly Op[]): Op[] {
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
  outer.push({
    op: 'spawn',
    flags: cloneFlags(clonedKinds(plan)),
    group: unified?.directory ?? plan.entered.find(({ controller }) => controller === '')?.directory ?? '',
    session: sessions[specFrontends[spec.frontend].oneJob ? 'own' : 'library'],
    origin: 'isolate',
  })
  outer.push(...mapIds(plan), ...sendMapped(plan, inner))
  if (late.length > 0)
    outer.push(...makeGroups(late, spec), ...(watches ? watchOps(plan, late, true) : []), {
      op: 'sendGo',
      origin: 'run',
    })
  if (!watches) return [...outer, { op: 'detach', origin: 'run' }]
  return [...outer, ...waitOps(plan), ...endOps(plan, !keepsGroup(spec))]
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
      origin: spec.mapUsers ? 'mapUsers' : spec.mapGroups ? 'mapGroups' : 'isolate',
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
    const { source, absent = 0, recursive, maps, origin } = mount
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
        whole: Number((maps ? maps.below : recursive) ?? false),
        namespace: spec.joins.find(({ kind }) => kind === 'user')?.path ?? '',
        origin,
      },
    ]
  })
}

function compileInner(plan: Plan): Op[] {
  const { spec } = plan
  const has = (kind: NamespaceKind) => plan.isolate.includes(kind)
  const deathSignal = spec.dieWithParent === false ? 0 : sigkill
  const joinsPid = spec.joins.some(({ kind }) => kind === 'pid')
  const cloned = clonedKinds(plan)
  const later = plan.isolate.filter((kind) => kind !== 'time' && !cloned.includes(kind))
  const v1 = [...plan.groups, ...plan.entered].filter(({ controller }) => controller !== '')
  const inner: Op[] = plan.userNamespace ? [{ op: 'awaitMaps', origin: 'isolate' }, ...userCounts] : []
  // join by the groups' paths on the host, before a mount namespace is joined: its /proc may belong to another pid namespace
  const joins: Op[] = v1.map((group) => ({ op: 'joinGroup', path: `${group.directory}/tasks`, origin: 'run' }))
  const late = joinsLate(plan)
  if (!late) inner.push(...joins)
  if (spec.privileges.oomScoreAdj !== undefined)
    inner.push({ op: 'setOomScore', value: String(spec.privileges.oomScoreAdj), origin: 'oomScoreAdj' })
  if (spec.joins.length > 0)
    inner.push({
      op: 'joinNamespaces',
      paths: spec.joins.map(({ path }) => path),
      kinds: spec.joins.map(({ kind }) => namespaces[kind].flag),
      origin: 'join',
    })
  if (later.length > 0) joins.push({ op: 'unshare', flags: cloneFlags(later), origin: 'isolate' })
  if (!late) inner.push(...joins.slice(v1.length))
  if (has('time') && !cloned.includes('time'))
    inner.push({ op: 'offsetClocks', offsets: spec.timeOffsets ?? '', origin: 'timeOffset' })
  if (staysOutside(plan)) inner.push({ op: 'stayOutside', signal: deathSignal, origin: joinsPid ? 'join' : 'isolate' })
  // write sysctls before the root is made, because /proc/sys is read-only in it; connect the network before that,
  // because sysctls can belong to its interfaces
  const network: Op[] = plan.network
    ? [{ op: 'awaitNetwork', by: networkLine(plan.network, runsAs(plan.userNamespace)), origin: 'network' }]
    : []
  const connectsFirst = spec.sysctls.some(({ kind }) => kind === 'net')
  if (connectsFirst) inner.push(...network)
  for (const { path, value } of spec.sysctls)
    inner.push({ op: 'setSysctl', path: `/proc/sys/${path}`, value, origin: 'sysctls' })
  if (has('mount')) inner.push(privatePropagation('isolate', receivesMounts(spec.root)))
  if (spec.root) inner.push(...rootOps(spec.root, plan.isolate, joinsPid, viewGroups(plan)))
  // the groups are joined before pivot_root, while their paths still refer to the host
  const beforeGroups = inner.findIndex(({ op }) => op === 'attachGroups' || op === 'pivotRoot')
  if (late) inner.splice(beforeGroups, 0, { op: 'awaitGroups', origin: 'run' }, ...joins)
  const views = groupMounts(plan)
  if (views.length > 0) inner.splice(-1, 0, ...views)
  if (!spec.root && has('mount') && (has('pid') || joinsPid)) inner.push(privateProc('isolate'))
  if (spec.hostname !== undefined) inner.push({ op: 'setHostname', name: spec.hostname, origin: 'hostname' })
  if (spec.domainname !== undefined) inner.push({ op: 'setDomainname', name: spec.domainname, origin: 'domainname' })
  if (has('net')) inner.push({ op: 'loopbackUp', origin: 'isolate' })
  // unless sysctls need the network, wait for it only here: the operations above run while it is being connected
  if (!connectsFirst) inner.push(...network)
  inner.push(...compilePrivileges(plan))
  // this operation comes after setUser, because a change of ids clears the signal (PR_SET_PDEATHSIG of prctl(2))
  if (deathSignal > 0) inner.push({ op: 'dieWithParent', signal: deathSignal, origin: 'run' })
  const supervised = plan.filter?.supervise
  if (plan.filter && supervised)
    inner.push({
      op: 'superviseFilter',
      noticed: supervised.noticed,
      plain: plan.filter.words,
      flags: plan.filter.flags,
      origin: supervised.learns ? 'learn' : 'seccompReport',
    })
  else if (plan.filter)
    inner.push({ op: 'installFilter', filter: plan.filter.words, flags: plan.filter.flags, origin: 'seccomp' })
  // a directory among the job's open streams would allow access to files outside of the root directory
  if (spec.root?.directory !== undefined)
    inner.push({ op: 'checkStreams', protect: Number(spec.sandbox === true), origin: 'stdio' })
  inner.push(compileExec(plan))
  return inner
}

/** Returns the last operation, the only one that depends on the command. */
export function compileExec(plan: Plan): Op {
  const { argv, env, searchPath: path } = plan
  return { op: 'exec', argv, env, path, reap: reaps(plan), origin: 'command' }
}
