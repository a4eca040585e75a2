// SPDX-License-Identifier: Apache-2.0
// Compiles a Plan to a Program: the operations of a job in order. Comments give the reason wherever the order matters.
// Pure.
import { reportRows } from '../cgroup/controllers/report-rows.generated.ts'
import { daemonNote, memoryEventsFile, memoryKillFile, memorySwapFiles } from '../cgroup/memory.ts'
import { pidsLevelFile } from '../cgroup/pids.ts'
import { controllerOf } from '../cgroup/v1/translate.ts'
import { isKernelFrom } from '../host/host.ts'
import { privateProc, privatePropagation } from '../mounts/private-mounts.ts'
import { rootOps } from '../mounts/root.ts'
import { mapWords, reservedId } from '../namespaces/id-map.ts'
import { cloneFlags, type NamespaceKind, namespaces } from '../namespaces/namespace.ts'
import { type Op, type Program, sessions } from '../ops/ops.ts'
import { specFrontends } from '../options/frontends.ts'
import { groupMounts } from './compile-groups.ts'
import { compilePrivileges } from './compile-privileges.ts'
import { originOf } from './devices.ts'
import type { PlannedGroup } from './groups.ts'
import { networkLine, runsAs } from './network.ts'
import type { Plan } from './plan.ts'

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
  const outer = makeGroups(groups.filter((group) => !late.includes(group)))
  const unified = groups.find((group) => group.controller === '')
  if (plan.deviceFilter && unified)
    outer.push({
      op: 'attachDeviceFilter',
      group: unified.directory,
      program: plan.deviceFilter,
      origin: originOf(spec),
    })
  // the memory events are read before and after the run: an increase shows which group reached its limit
  const version = plan.layout === 'v2' ? 'v2' : 'v1'
  const ancestorReads =
    version === 'v1' ? [] : plan.ancestors.map(({ directory }) => read(`${directory}/${memoryEventsFile}`))
  const killReads = version === 'v1' && !groups.some(({ controller }) => controller === 'memory') ? plan.ancestors : []
  const kills = killReads.slice(0, 1).map(({ directory }) => read(`${directory}/${memoryKillFile.v1}`))
  // v1 has no such events, so the figures of its ancestors are read only if a kill must be explained
  outer.push(...ancestorReads, ...kills, ...watchOps(plan, late, false))
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
    group: unified?.directory ?? '',
    session: sessions[specFrontends[spec.frontend].oneJob ? 'own' : 'library'],
    origin: 'isolate',
  })
  outer.push(...mapIds(plan), ...sendMapped(plan, inner))
  if (late.length > 0) outer.push(...makeGroups(late), ...watchOps(plan, late, true), { op: 'sendGo', origin: 'run' })
  if (spec.cpuTimeMs !== undefined)
    outer.push({
      op: 'limitCpu',
      limitMs: spec.cpuTimeMs,
      extraMs: spec.extraTimeMs ?? 0,
      file: cpuTimeFile(plan),
      origin: 'cpuTime',
    })
  // the child is already running, and does not wait for the following reads
  const levels = countsForksByLevel(plan) ? plan.ancestors : []
  const forkReads = levels.map(({ directory }) => read(`${directory}/${pidsLevelFile}`))
  outer.push(...forkReads)
  const procs = groups.map((group) => `${group.directory}/cgroup.procs`)
  const killFile = unified ? `${unified.directory}/cgroup.kill` : ''
  outer.push({
    op: 'wait',
    timeoutMs: spec.timeoutMs,
    killAfterMs: spec.killAfterMs,
    stopSignal: spec.stopSignal,
    reaps: reaps(plan) || Number(staysOutside(plan)),
    procs,
    killFile,
    origin: 'timeout',
  })
  // the kernel kills all processes of a pid namespace when its PID 1 ends
  if (groups.length > 0 && !clonedKinds(plan).includes('pid'))
    outer.push({ op: 'killGroup', procs, killFile, origin: 'run' })
  outer.push(...groups.flatMap((group) => figureFiles(group, plan.layout)).map(read), ...ancestorReads, ...forkReads)
  outer.push(...kills)
  outer.push(
    ...groups
      .flatMap((group) => [
        ...limitFiles(group, plan.layout),
        ...(plan.layout === 'v2' ? [`${group.directory}/${daemonNote}`] : []),
      ])
      .map((path): Op => ({ op: 'readIfFailed', path, origin: 'usage' })),
  )
  for (const group of [...groups].reverse()) {
    outer.push({ op: 'removeGroup', path: group.directory, shared: 0, origin: 'run' })
    for (const path of [...group.madeParents].reverse())
      outer.push({ op: 'removeGroup', path, shared: 1, origin: 'parent' })
  }
  return outer
}

function makeGroups(groups: readonly PlannedGroup[]): Op[] {
  return [
    ...groups.flatMap(makeGroup),
    ...groups.flatMap((group) => group.writes.map((write) => writeOp(group, write.file, write.value, write.origin))),
  ]
}

function makeGroup(group: PlannedGroup): Op[] {
  const made = group.madeParents.flatMap((path): Op[] => [
    { op: 'makeGroup', path, mayExist: 1, origin: 'parent' },
    ...(group.controller === 'cpuset' ? fillCpuset(path, group) : []),
  ])
  for (const { directory, controllers } of group.enable)
    made.push({
      op: 'writeFile',
      path: `${directory}/cgroup.subtree_control`,
      value: controllers.map((name) => `+${name}`).join(' '),
      origin: 'run',
    })
  made.push({ op: 'makeGroup', path: group.directory, mayExist: 0, origin: 'run' })
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

function read(path: string): Op {
  return { op: 'readFile', path, origin: 'usage' }
}

/** Returns the operations that watch for out-of-memory events: in the groups of `late`, or with `ofLate` false in all others. */
function watchOps(plan: Plan, late: readonly PlannedGroup[], ofLate: boolean): Op[] {
  const groups = plan.groups.filter((group) => late.includes(group) === ofLate)
  return groups.flatMap((group): Op[] => {
    const watch = (file: string): Op => ({ op: 'watchFile', path: `${group.directory}/${file}`, origin: 'events' })
    if (group.controller === '') return plan.layout === 'v2' ? [watch('memory.events'), watch('pids.events')] : []
    if (group.controller === 'pids') return [watch('pids.events')]
    if (group.controller !== 'memory') return []
    // v1 reports that a group is out of memory, but not how many processes were killed. The event is therefore watched
    // only if hutch must kill the whole group.
    if (!plan.spec.limits.some((limit) => limit.file === 'memory.oom.group' && limit.value === '1')) return []
    const unified = plan.groups.find((other) => other.controller === '')!
    return [{ op: 'watchOom', group: group.directory, kill: `${unified.directory}/cgroup.kill`, origin: 'oomGroup' }]
  })
}

/** Returns the file in which the kernel counts the job's CPU time: cpu.stat on v2, otherwise cpuacct.usage. */
function cpuTimeFile({ groups }: Plan): string {
  const unified = groups.find((group) => group.controller === '')
  if (unified) return `${unified.directory}/cpu.stat`
  const counting =
    groups.find((group) => group.controller === 'cpuacct') ?? groups.find((group) => group.controller === 'cpu')
  return `${counting!.directory}/cpuacct.usage`
}

/**
 * Returns the files of a group that a report's figures are read from, for its controllers. If the kernel lacks a file,
 * the figure is missing.
 */
function figureFiles({ controller, directory, writes }: PlannedGroup, layout: Plan['layout']): string[] {
  const rows = reportRows.filter(({ live }) => !live)
  const files =
    controller === ''
      ? rows.filter((row) => layout === 'v2' || row.controller === '').map(({ v2 }) => v2.file)
      : rows.flatMap(({ v1 }) => (v1 && controllerOf(v1.file) === controller ? [v1.file] : []))
  const swap = controller === 'memory' && writes.some((write) => write.file.includes('.memsw.')) ? memorySwapFiles : []
  return [...new Set([...files, ...swap])].map((file) => `${directory}/${file}`)
}

/**
 * Returns the files of limits, which another process may have changed during the run. Also returns memory.stat, whose
 * count of pages read again after reclaim shows a lack of memory.
 */
function limitFiles({ controller, directory, writes }: PlannedGroup, layout: Plan['layout']): string[] {
  const files: { [controller: string]: readonly string[] } = {
    '':
      layout === 'v2'
        ? ['memory.max', 'pids.max', 'cpu.max', 'memory.high', 'io.max', 'cpuset.cpus', 'memory.stat']
        : [],
    memory: ['memory.limit_in_bytes', 'memory.memsw.limit_in_bytes', 'memory.stat'],
    cpuset: ['cpuset.cpus'],
    pids: ['pids.max'],
    cpu: ['cpu.cfs_quota_us', 'cpu.cfs_period_us'],
  }
  const always = new Set(['memory.max', 'memory.limit_in_bytes', 'memory.stat', 'pids.max'])
  return (files[controller] ?? [])
    .filter((name) => always.has(name) || writes.some(({ file }) => file === name))
    .map((file) => `${directory}/${file}`)
}

/**
 * Returns true if the job joins an existing user namespace. Its other new namespaces must belong to that one, so they
 * are created after entering it.
 */
function joinsUser({ spec }: Plan): boolean {
  return spec.joins.some(({ kind }) => kind === 'user')
}

/**
 * Returns the kinds of namespaces that clone3 creates; the child creates the rest. The root of a cgroup namespace is
 * the group of its creator. If v1 groups are joined after the clone, the child must therefore create it. A time
 * namespace with offsets is also created by the child.
 */
function clonedKinds(plan: Plan): NamespaceKind[] {
  if (joinsUser(plan)) return []
  const joinsLater = plan.groups.some((group) => group.controller !== '')
  return plan.isolate.filter((kind) => (kind !== 'time' || clonesTime(plan)) && (kind !== 'cgroup' || !joinsLater))
}

/**
 * Returns true if the kernel counts a refused fork in the group whose limit refused it (v2 since Linux 6.11). Older
 * kernels count it in the group of the process.
 */
export function countsForksByLevel({ layout, kernel }: Plan): boolean {
  return layout === 'v2' && isKernelFrom(kernel, [6, 11])
}

/**
 * Returns true if clone3 creates the time namespace, because it needs no offsets. The child enters it at its exec,
 * since Linux 6.3.
 */
export function clonesTime({ spec, isolate, kernel }: Plan): boolean {
  return isolate.includes('time') && spec.timeOffsets === undefined && isKernelFrom(kernel, [6, 3])
}

/**
 * Returns true if the child joins its v1 groups only after its mounts, for which it needs little memory. Meanwhile
 * hutch creates the groups.
 */
function joinsLate({ groups, userNamespace, spec }: Plan): boolean {
  const own = userNamespace !== undefined && spec.root?.directory !== undefined
  // the v2 group must exist at the clone, so that signals can reach the child at any time
  const born = groups.some(({ controller }) => controller === '')
  return own && born && groups.some(({ controller }) => controller !== '')
}

/** Returns 1 if hutch-init keeps running: as PID 1, or to adopt orphans of a job without a group, so that signals reach them. */
function reaps(plan: Plan): number {
  return plan.spec.init && (plan.isolate.includes('pid') || adoptsOrphans(plan)) ? 1 : 0
}

/**
 * Returns true if hutch-init must adopt orphans: the job has no group through which they can be stopped. `hutch run`
 * stops a job only at a limit; the library can stop it at any time.
 */
function adoptsOrphans({ groups, spec }: Plan): boolean {
  const stops = !specFrontends[spec.frontend].oneJob || spec.timeoutMs > 0 || spec.maxOutput !== undefined
  return groups.length === 0 && stops && !spec.joins.some(({ kind }) => kind === 'pid')
}

/**
 * Returns true if hutch-init stays outside the job's pid namespace. A process that joins a pid namespace, or creates
 * one by unshare, does not enter it; only its children do.
 */
function staysOutside(plan: Plan): boolean {
  return plan.spec.joins.some(({ kind }) => kind === 'pid') || (joinsUser(plan) && plan.isolate.includes('pid'))
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
      (one) => one.kind === 'volume' && one.idmap && one.source === op.source && one.target === op.target,
    )
    if (mount?.kind !== 'volume') return []
    const { source, attributes, absent = 0, recursive, origin } = mount
    return [{ op: 'sendMapped', source, attributes, absent, recursive: Number(recursive), origin }]
  })
}

function compileInner(plan: Plan): Op[] {
  const { spec } = plan
  const has = (kind: NamespaceKind) => plan.isolate.includes(kind)
  const joinsPid = spec.joins.some(({ kind }) => kind === 'pid')
  const cloned = clonedKinds(plan)
  const later = plan.isolate.filter((kind) => kind !== 'time' && !cloned.includes(kind))
  const v1 = plan.groups.filter((group) => group.controller !== '')
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
  if (staysOutside(plan)) inner.push({ op: 'stayOutside', origin: joinsPid ? 'join' : 'isolate' })
  // settings are written before the root is made, in which /proc/sys is read-only; the network comes before them,
  // because they can belong to its interfaces
  const network: Op[] = plan.network
    ? [{ op: 'awaitNetwork', by: networkLine(plan.network, runsAs(plan.userNamespace)), origin: 'network' }]
    : []
  const connectsFirst = spec.sysctls.some(({ kind }) => kind === 'net')
  if (connectsFirst) inner.push(...network)
  for (const { path, value } of spec.sysctls)
    inner.push({ op: 'setSysctl', path: `/proc/sys/${path}`, value, origin: 'sysctls' })
  if (has('mount')) inner.push(privatePropagation('isolate'))
  if (spec.root) inner.push(...rootOps(spec.root, plan.isolate, joinsPid))
  // the groups are joined before pivot_root, while their paths still refer to the host
  if (late) inner.splice(-1, 0, { op: 'awaitGroups', origin: 'run' }, ...joins)
  const views = groupMounts(plan)
  if (views.length > 0) inner.splice(-1, 0, ...views)
  if (!spec.root && has('mount') && (has('pid') || joinsPid)) inner.push(privateProc('isolate'))
  if (spec.hostname !== undefined) inner.push({ op: 'setHostname', name: spec.hostname, origin: 'hostname' })
  if (spec.domainname !== undefined) inner.push({ op: 'setDomainname', name: spec.domainname, origin: 'domainname' })
  if (has('net')) inner.push({ op: 'loopbackUp', origin: 'isolate' })
  // unless settings need the network, wait for it only here: the operations above run while it is being connected
  if (!connectsFirst) inner.push(...network)
  inner.push(...compilePrivileges(plan))
  // this operation comes after setUser, because a change of ids clears the signal (PR_SET_PDEATHSIG of prctl(2))
  inner.push({ op: 'dieWithParent', signal: sigkill, origin: 'run' })
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
  inner.push({
    op: 'exec',
    argv: plan.argv,
    env: plan.env,
    path: plan.searchPath,
    reap: reaps(plan),
    origin: 'command',
  })
  return inner
}
