// SPDX-License-Identifier: Apache-2.0
// Compiles a Plan to a Program: the operations of a job in order. Comments give the reason wherever the order matters.
// Pure.
import { privateProc, separateMounts } from '../mounts/private-mounts.ts'
import { rootOps } from '../mounts/root.ts'
import { cloneFlags, type NamespaceKind, namespaces } from '../namespaces/namespace.ts'
import type { Op, Program } from '../ops/ops.ts'
import { compileContainer } from './compile-container.ts'
import { groupMounts, viewGroups } from './compile-groups.ts'
import { compileOuter } from './compile-outer.ts'
import { compilePrivileges } from './compile-privileges.ts'
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
  const { container } = plan.spec
  const inner = container ? compileContainer(plan, container) : compileInner(plan)
  return { outer: compileOuter(plan, inner), inner }
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
    inner.push({ op: 'setOomScore', value: String(spec.privileges.oomScoreAdj), keeps: 0, origin: 'oomScoreAdj' })
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
  if (has('mount')) inner.push(...separateMounts('isolate', spec.root))
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
