// SPDX-License-Identifier: Apache-2.0
// Turns a Spec into a running process: facts, plan, program, one native call. Exports launch, prepare and finishSweep.
// Every line here adds to the time of a start.

import { evacuate } from '../cgroup/evacuate.ts'
import { readChildren, readWords } from '../cgroup/files.ts'
import { isJobGroup, sweepGroups } from '../cgroup/stale-groups.ts'
import { shareAt } from '../cgroup/v1/cpu-quota.ts'
import { legacyControllerOf } from '../cgroup/v1/translate.ts'
import { capabilityNumbers, hasCapability } from '../credentials/capability.ts'
import { fail } from '../errors/errors.ts'
import { isInitialUserNamespace, readDevice } from '../host/device.ts'
import { findFileSystem } from '../host/file-system.ts'
import { type Host, readHost, withoutLeaf } from '../host/host.ts'
import { readNameFacts, readNetworkFacts } from '../host/network.ts'
import { type Parent, readParent } from '../host/parent-group.ts'
import { readGroup, readUser, type User } from '../host/passwd.ts'
import { findObstacles, type Privileges, readDelegation, readPrivileges } from '../host/privileges.ts'
import type { Network } from '../network/network.ts'
import type { Program } from '../ops/ops.ts'
import { encodeProgram } from '../ops/wire.ts'
import { specFrontends } from '../options/frontends.ts'
import { optionName } from '../options/names.ts'
import type { Spec } from '../options/spec.ts'
import { compilePlan } from '../plan/compile.ts'
import { limitsDevices } from '../plan/devices.ts'
import { needsOf } from '../plan/groups.ts'
import { makePlan, type Plan, type PlanFacts } from '../plan/plan.ts'
import { isWritableVolume, type SourceFacts } from '../plan/sandbox-volumes.ts'
import type { FilterMaker } from '../seccomp/make-filter.ts'
import { decodeRefusal } from '../system/events.ts'
import { statSync } from '../system/files.ts'
import { native, toolPath } from '../system/native.ts'
import { watchedNative } from '../system/reactor.ts'
import { parseScopeName } from '../systemd/unit.ts'
import { encodePath } from '../text/non-utf8.ts'
import { isBelow } from '../text/paths.ts'
import { readContainerFacts } from './container-facts.ts'
import { readEnvironment } from './environment.ts'
import { nameFailedCall } from './failed-call.ts'
import type { Connecting } from './job-network.ts'
import {
  type ChangingFact,
  isCurrent,
  isRepeatable,
  type KnownPlan,
  makeKnownPlan,
  type PreparedStart,
  repeatPlan,
} from './known-plan.ts'
import { keptSpec } from './known-spec.ts'
import { explainRefusal } from './op-errors.ts'

export interface Launched {
  job: number
  /** The job's process id, as this process sees it. */
  pid: number
  plan: Plan
  program: Program
  /** The connection of the job's network, while and after it is made. */
  connecting?: Connecting
  /** True if signals that this process receives are passed on to the job: see Job.forwardSignals. */
  forwards?: boolean
}

/**
 * Cache of the facts about default parent groups, by facts of the host. They change only if someone rearranges the
 * host's groups. A launch then fails, and is tried again with fresh facts.
 */
const knownParents = new Map<string, Parent>()
/** Plans of Specs that were used before. They depend on the known parents. */
let knownPlans = new WeakMap<Spec, KnownPlan>()
let serial = 0
let sweep: (() => Promise<void> | undefined) | undefined
let swept = false

/** Returns the plan and the program for a Spec, without starting anything. @throws CGROUP_*, OPTION_CONFLICT, USER_UNKNOWN */
export function prepare(requested: Spec, filter?: FilterMaker): PreparedStart {
  const spec = withEvacuation(requested)
  if ((spec.seccomp || spec.learn) && !filter)
    throw fail('STEP_REFUSED', {
      what: 'filter the system calls',
      operation: 'seccomp',
      origin: spec.learn ? 'learn' : 'seccomp',
      errno: 'EPROTO',
      remedy: 'give the result of loadFilter for the same options',
    })
  const plan = makePlan(spec, readPlanFacts(spec, filter))
  const program = compilePlan(plan)
  return { plan, program, encode: () => encodeProgram(program) }
}

/** Does the same as `prepare`. Makes a plan only once if the options were used before. */
function prepareAgain(spec: Spec, filter: FilterMaker | undefined): PreparedStart {
  const kept = keptSpec(spec)
  if (!kept || !isRepeatable(kept)) return prepare(spec, filter)
  let known = knownPlans.get(kept)
  if (!known || !isCurrent(known, readChangingFacts(kept, known.facts.parents), serial + 1)) {
    known = makeKnownPlan(kept, { ...readPlanFacts(kept, filter), serial: serial + 1 })
    knownPlans.set(kept, known)
  }
  return repeatPlan(known, spec, ++serial)
}

/** Reads the facts about the machine that the planner needs for a Spec. @throws CGROUP_MISSING, USER_UNKNOWN */
export function readPlanFacts(spec: Spec, filter?: FilterMaker): PlanFacts {
  const host = readHost()
  if (host.layout === 'none' && (needsOf(spec) !== '' || spec.parent !== undefined))
    throw fail('CGROUP_MISSING', { need: `set ${needsOf(spec) || optionName('parent', spec.frontend)}` })
  const privileges = readPrivileges()
  if (spec.container) return readContainerFacts(spec.container, host, privileges, filter)
  const maps = spec.mapUsers ?? spec.mapGroups
  const parents = findParents(host, spec)
  return {
    parents,
    ...readChangingFacts(spec, parents),
    user: findUser(spec, privileges),
    privileges,
    devices: (spec.root?.devices ?? []).map(({ path, access, origin }) => ({ ...readDevice(path, origin), access })),
    mayFilter: limitsDevices(spec) && mayFilterDevices(privileges),
    ...(filter && { filter }),
    ...(maps && { delegation: readDelegation(privileges.uid) }),
    ...(spec.network && { network: findNetwork(spec.network) }),
    ...(spec.names && { names: readNameFacts() }),
    toolPath,
    serial: ++serial,
  }
}

/** Reads those facts that can change between two starts with the same options. */
function readChangingFacts(spec: Spec, parents: PlanFacts['parents']): Pick<PlanFacts, ChangingFact> {
  const host = readHost()
  const cpu = spec.sandbox && parents.get('cpu')
  return {
    host,
    env: readEnvironment(),
    ...(spec.sandbox && { absent: findAbsent(spec) }),
    ...(spec.sandbox && host.uid === 0 && { sources: findSources(spec) }),
    ...(cpu && { share: shareAt(cpu.directory, host.v1.cpu?.mount) }),
  }
}

/**
 * Returns the program to run instead of the plan's own program. Drop-ins use it to set up their own namespaces and
 * mounts in the plan's groups.
 */
type Recompile = (plan: Plan, program: Program) => Program

function prepareOther(spec: Spec, filter: FilterMaker | undefined, recompile: Recompile): PreparedStart {
  const { plan, program: own } = prepare(spec, filter)
  const program = recompile(plan, own)
  return { plan, program, encode: () => encodeProgram(program) }
}

/** The inputs of a launch besides the Spec. */
export interface LaunchHooks {
  recompile?: Recompile | undefined
  filter?: FilterMaker | undefined
}

/**
 * Starts the job. `stdio` lists at least three descriptors. -1 means /dev/null for stdin, stdout and stderr, and a
 * closed descriptor for 3, 4 and so on. @throws HutchError, with nothing left behind
 */
export function launch(requested: Spec, stdio: readonly number[], { recompile, filter }: LaunchHooks = {}): Launched {
  const addon = watchedNative()
  const spec = withEvacuation(requested)
  if (spec.evacuate) evacuateParent(spec, filter)
  for (let again = knownParents.size > 0; ; again = false) {
    const { plan, program, encode } = recompile ? prepareOther(spec, filter, recompile) : prepareAgain(spec, filter)
    const [job, pid, errno = 0, call = 0] = addon.launch(encode(), Int32Array.from(stdio))
    if (job > 0) {
      rememberEnabled(plan)
      if (!spec.container) sweepOnce(plan)
      return { job, pid, plan, program }
    }
    forgetParents()
    const op = program.outer[pid]
    const { errno: name, part } = decodeRefusal(errno)
    if (!op)
      throw nameFailedCall(
        fail('STEP_REFUSED', {
          what: 'start the event thread',
          operation: 'epoll_create',
          origin: 'run',
          errno: name,
          remedy: 'raise the limit of open files (ulimit -n)',
        }),
        call,
        name,
      )
    if (!again || (name !== 'ENOENT' && name !== 'EACCES'))
      throw nameFailedCall(
        explainRefusal(op, name, plan, findObstacles, part, op.op === 'sendMapped' ? findFileSystem(op.source) : ''),
        call,
        name,
      )
  }
}

/** Does not throw, and costs half of existsSync. */
function isMissing(path: string): boolean {
  return native().access(encodePath(path), 0) < 0
}

function findAbsent({ root }: Spec): string[] {
  return root!.mounts.flatMap((mount) => (mount.ifThere && isMissing(mount.source) ? [mount.source] : []))
}

function findSources({ root }: Spec): Map<string, SourceFacts> {
  return new Map(
    root!.mounts.filter(isWritableVolume).flatMap(({ source }): [string, SourceFacts][] => {
      const found = statSync(encodePath(source), { throwIfNoEntry: false })
      return found ? [[source, found]] : []
    }),
  )
}

/** Returns the facts about network tools. pasta is preferred, because it gives the job the host's addresses and IPv6. */
function findNetwork(network: Network) {
  return readNetworkFacts(network.kind === 'private' && network.tool ? [network.tool] : ['pasta', 'slirp4netns'])
}

function mayFilterDevices({ permitted }: Privileges): boolean {
  return hasCapability(permitted, capabilityNumbers.SYS_ADMIN) && isInitialUserNamespace()
}

/** Returns the user and groups that --user, --group, --groups and --group-add request together. Returns undefined if none is given. */
function findUser(spec: Spec, own: Privileges): User | undefined {
  const { group, groups, groupAdd } = spec.privileges
  if (spec.user === undefined && group === undefined && groups === undefined && groupAdd === undefined) return undefined
  const user = spec.user === undefined ? undefined : readUser(spec.user, optionName('user', spec.frontend))
  const gid = group === undefined ? (user?.gid ?? own.gid) : readGroup(group, optionName('group', spec.frontend))
  const named = groups?.map((name) => readGroup(name, optionName('groups', spec.frontend)))
  const added = groupAdd?.map((name) => readGroup(name, optionName('groupAdd', spec.frontend))) ?? []
  // without --user, --group-add adds to the caller's supplementary groups
  const defaultGroups = user?.groups ?? (added.length > 0 ? process.getgroups!() : [gid])
  return {
    ...(user ?? { uid: own.uid }),
    gid,
    groups: [...new Set([...(named ?? (group === undefined ? defaultGroups : [gid])), ...added])],
  }
}

function findParents(host: Host, spec: Spec): Map<string, Parent> {
  if (host.layout === 'none') return new Map()
  const { parent: path, evacuate } = spec
  const names = host.layout === 'v2' ? [''] : legacyNames(host, spec)
  const controlled = isControlled(spec)
  const parents = new Map(
    names.map((name): [string, Parent] => {
      if (path !== undefined) return [name, readParent(host, name, { path })]
      const key = `${name} ${host.home ?? ''} ${controlled} ${evacuate}`
      const known = knownParents.get(key) ?? readParent(host, name, { controlled, evacuate })
      knownParents.set(key, known)
      return [name, known]
    }),
  )
  for (const [name, parent] of joinedParents(host, path, names)) parents.set(name, parent)
  return parents
}

/**
 * v1: returns the other hierarchies in which the named parent group exists and does not contain this process. The
 * parent's limits in these hierarchies also apply to the job.
 */
function joinedParents(host: Host, path: string | undefined, known: readonly string[]): [string, Parent][] {
  if (path === undefined || host.layout === 'v2') return []
  const mounts = new Set(known.map((name) => host.v1[name]?.mount))
  return Object.entries(host.v1).flatMap(([name, { mount, own }]): [string, Parent][] => {
    if (mounts.has(mount) || isBelow(own, path === '' ? mount : `${mount}/${path}`)) return []
    mounts.add(mount)
    const parent = readParent(host, name, { path })
    return parent.exists ? [[name, { ...parent, joined: true }]] : []
  })
}

/**
 * Enables `evacuate` if the caller did not set it and it is safe. A v2 group that contains processes cannot limit its
 * children, so hutch first moves the processes to a leaf group. This is safe if the group is a job of hutch, or
 * contains only the command line's own process. The new job's group is next to the leaf, within the same limits.
 */
function withEvacuation(spec: Spec): Spec {
  const { layout, unified, home } = readHost()
  if (spec.evacuate !== undefined || layout !== 'v2' || home !== undefined) return spec
  if (spec.parent !== undefined || !isControlled(spec) || withoutLeaf(unified!.own) !== unified!.own) return spec
  const inJob = isJobGroup(unified!.own.slice(unified!.own.lastIndexOf('/')))
  const alone = () => readWords(unified!.own, 'cgroup.procs').join() === String(process.pid)
  return inJob || (specFrontends[spec.frontend].oneJob && alone()) ? { ...spec, evacuate: true } : spec
}

/** Returns true if the job's own v2 group needs a controller. */
function isControlled({ limits }: Spec): boolean {
  return limits.some((limit) => !limit.file.startsWith('cgroup.'))
}

/**
 * Moves the processes of the parent group to a leaf group if that helps. The parent must be a v2 group below the root,
 * contain processes, and need a controller enabled for the plan.
 */
function evacuateParent(spec: Spec, filter?: FilterMaker): void {
  const host = readHost()
  if (host.layout !== 'v2') return
  const parent = readParent(host, '', { path: spec.parent, evacuate: true })
  if (!parent.writable || parent.type !== 'domain' || parent.processes.length === 0) return
  const { groups } = prepare(spec, filter).plan
  if (!groups.some((group) => group.enable.some(({ directory }) => directory === parent.directory))) return
  evacuate(parent.directory)
  forgetParents()
}

function forgetParents(): void {
  knownParents.clear()
  knownPlans = new WeakMap()
}

/**
 * v1: returns the controllers whose hierarchies a plan uses: memory and pids always, for the figures, and others only
 * for a limit.
 */
function legacyNames(host: Host, spec: Spec): string[] {
  const needed = new Set([
    'memory',
    'pids',
    ...(spec.cpuTimeMs !== undefined ? ['cpuacct'] : []),
    ...(limitsDevices(spec) ? ['devices'] : []),
    ...spec.limits.map((limit) => legacyControllerOf(limit.file)),
  ])
  return [...(host.unified ? [''] : []), ...Object.keys(host.v1).filter((name) => needed.has(name))]
}

function rememberEnabled(plan: Plan): void {
  const enabled = plan.groups[0]?.enable ?? []
  if (enabled.length === 0) return
  for (const { directory, controllers } of enabled)
    for (const parent of knownParents.values())
      parent.levels.find((level) => level.directory === directory)?.enabled.push(...controllers)
  knownPlans = new WeakMap()
}

/**
 * Schedules the removal of groups that killed hutch processes left. It happens once in each process, after the first
 * start, so that no start waits for it.
 */
function sweepOnce(plan: Plan): void {
  if (swept) return
  swept = true
  let running: { end: Promise<void> | undefined } | undefined
  sweep = () => {
    running ??= { end: sweepGroups([...sweptLevels(plan), ...otherScopes()], readHost().owner.pidNamespace) }
    return running.end
  }
  setImmediate(() => void sweep?.())
}

/**
 * Returns the directories in which stale groups are searched. In each hierarchy these are the plan's parent groups,
 * this process's own group, and all their ancestors.
 */
function sweptLevels(plan: Plan): string[] {
  const { unified, v1 } = readHost()
  const mountOf = (controller: string) => (controller === '' ? unified! : v1[controller]!).mount
  const parents = plan.groups.map(({ controller, parent }) => parent.slice(mountOf(controller).length))
  return [unified, ...Object.values(v1)].flatMap((hierarchy) => {
    if (!hierarchy) return []
    const levels: string[] = []
    for (const start of [hierarchy.own, ...parents.map((path) => hierarchy.mount + path)])
      for (let at = start; at.length >= hierarchy.mount.length; at = at.slice(0, at.lastIndexOf('/'))) levels.push(at)
    return levels
  })
}

/**
 * Returns the other scopes that hutch created. systemd removes an empty scope, but processes of a killed hutch keep
 * their scope alive.
 */
function otherScopes(): string[] {
  const { home } = readHost()
  if (home === undefined) return []
  const slice = home.slice(0, home.lastIndexOf('/'))
  return readChildren(slice)
    .filter(parseScopeName)
    .map((name) => `${slice}/${name}`)
}

/**
 * Waits until stale groups are removed, which can take longer than a short first job. Returns undefined if nothing is
 * left to do.
 */
export function finishSweep(): Promise<void> | undefined {
  const end = sweep?.()
  sweep = undefined
  return end
}
