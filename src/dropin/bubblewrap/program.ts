// SPDX-License-Identifier: Apache-2.0
// Compiles a request of bubblewrap(1) to a Program, in bubblewrap's order. Pure.

import { type CapabilityWord, capabilityMask } from '../../credentials/capability.ts'
import { fail } from '../../errors/errors.ts'
import { cloneFlags, type NamespaceKind, namespaces } from '../../namespaces/namespace.ts'
import type { Op, Program } from '../../ops/ops.ts'
import { type Launch, propagations, restoreOps, startOps, waitOp } from '../../plan/unshare.ts'
import type { BwrapRequest } from './request.ts'
import { usedDescriptors } from './request.ts'
import { compileSteps } from './steps.ts'

/** Facts about the caller and the machine, from which a program of bwrap is planned. */
export interface BwrapFacts {
  uid: number
  gid: number
  /** Numbers of the capabilities that the caller has, and of those that the kernel has. */
  permitted: readonly number[]
  known: readonly number[]
  /** Namespaces that this machine can create. */
  possible: ReadonlySet<'user' | 'cgroup'>
  /** Working directories to try in this order, if no option names one. */
  directories: readonly string[]
  /** Path of the terminal on standard output; absent if it is not a terminal. */
  terminal?: string
}

/** A request of bwrap with the namespaces that its options imply. */
export interface BwrapPlan {
  request: BwrapRequest
  facts: BwrapFacts
  kinds: Set<NamespaceKind>
  /** True if the program runs in a user namespace that bwrap created or joined. */
  ownsUser: boolean
  uid: number
  gid: number
  /** True if hutch-init stays as the program's parent. */
  stays: boolean
}

/**
 * Checks a request, and plans its namespaces.
 *
 * @throws OPTION_CONFLICT
 */
export function planBwrap(request: BwrapRequest, asks: ReadonlySet<string>, facts: BwrapFacts): BwrapPlan {
  const conflict = (name: string, why: string, remedy: string) => fail('OPTION_CONFLICT', { name, why, remedy })
  const needs = (name: string, needed: string, holds: boolean) => {
    if (asks.has(name) && !holds) throw conflict(name, `it takes ${needed}`, `add ${needed}`)
  }
  const kinds = new Set(request.kinds)
  const joins = request.userDescriptor !== undefined
  if (joins && (kinds.has('user') || request.tries.has('user')))
    throw conflict('--userns', '--unshare-user and --unshare-all create another user namespace', 'omit one of them')
  if (!joins && facts.uid !== 0) kinds.add('user')
  for (const kind of request.tries) if (facts.possible.has(kind)) kinds.add(kind)
  const ownsUser = kinds.has('user') || joins
  needs('--uid', '--unshare-user or --userns', ownsUser)
  needs('--gid', '--unshare-user or --userns', ownsUser)
  needs('--disable-userns', '--unshare-user', asks.has('--unshare-user'))
  if (request.disableUsers && request.userBlock !== undefined)
    throw conflict('--disable-userns', '--userns-block-fd leaves the ids to the caller', 'omit one of them')
  needs('--userns-block-fd', '--unshare-user', kinds.has('user'))
  needs('--userns-block-fd', '--info-fd', request.info !== undefined)
  needs('--hostname', '--unshare-uts', kinds.has('uts'))
  needs('--as-pid-1', '--unshare-pid', kinds.has('pid'))
  if (request.first && request.locks.length > 0)
    throw conflict('--as-pid-1', '--lock-file needs a process beside the program', 'omit one of them')
  return {
    request,
    facts,
    kinds,
    ownsUser,
    uid: request.uid ?? facts.uid,
    gid: request.gid ?? facts.gid,
    stays: !request.first && (kinds.has('pid') || request.locks.length > 0 || request.syncs.length > 0),
  }
}

/** A launch of bwrap, with inputs that are not on its command line. */
export interface BwrapLaunch extends Launch {
  /** Descriptor of the pipe to which this process writes after it has reported the start. */
  gate?: number
  /** System call filters, each as 32-bit numbers. */
  filters: readonly (readonly number[])[]
  /** Groups that exist already: `group` is the v2 group in which the process starts, `joins` are files of the v1 groups that it joins. */
  group?: string
  joins?: readonly string[]
}

/** Compiles both sections of the program. */
export function compileBwrap(plan: BwrapPlan, launch: BwrapLaunch): Program {
  return { outer: compileOuter(plan, launch), inner: compileInner(plan, launch) }
}

/** Returns true if a later fork creates the pid namespace, and not the clone, because another pid or user namespace is entered first. */
function unsharesLater({ request }: BwrapPlan): boolean {
  return request.userDescriptor !== undefined || request.pidDescriptor !== undefined
}

/**
 * Returns the namespaces to create by the clone. A cgroup namespace has its creator's group as root. So with v1 groups to join, it is
 * created after they are joined.
 */
function clonedKinds(plan: BwrapPlan, { joins = [] }: BwrapLaunch): NamespaceKind[] {
  if (plan.request.userDescriptor !== undefined) return []
  return (['mount', ...plan.kinds] as const).filter((kind) =>
    kind === 'pid' ? !unsharesLater(plan) : kind !== 'cgroup' || joins.length === 0,
  )
}

/**
 * Returns the user and group id to which the outer user namespace is mapped. For a new /dev this is root, because root owns its terminals;
 * an inner user namespace then maps the caller's ids.
 */
function outerIds(plan: BwrapPlan): { uid: number; gid: number } {
  const { request, uid, gid } = plan
  const terminals = request.steps.some((step) => step.do === 'dev')
  return terminals && uid !== 0 && request.userBlock === undefined ? { uid: 0, gid: 0 } : { uid, gid }
}

function compileOuter(plan: BwrapPlan, launch: BwrapLaunch): Op[] {
  const { facts, kinds, request } = plan
  const outer = startOps(launch).map((op) =>
    op.op === 'spawn'
      ? { ...op, flags: cloneFlags(clonedKinds(plan, launch)), group: launch.group ?? '', origin: namespaceWords(plan) }
      : op,
  )
  if (kinds.has('user') && request.userBlock === undefined) {
    const ids = outerIds(plan)
    outer.push({
      op: 'mapIds',
      users: [String(ids.uid), String(facts.uid), '1'],
      groups: [String(ids.gid), String(facts.gid), '1'],
      denySetgroups: 1,
      userTool: '',
      groupTool: '',
      origin: '--unshare-user',
    })
  }
  return [...outer, waitOp()]
}

function namespaceWords({ kinds }: BwrapPlan): string {
  return [...kinds].map((kind) => `--unshare-${kind}`).join(' ') || 'the mount namespace'
}

function compileInner(plan: BwrapPlan, launch: BwrapLaunch): Op[] {
  const { request, facts, kinds } = plan
  const used = usedDescriptors(request)
  if (launch.gate !== undefined) used.push(launch.gate)
  const inner: Op[] = []
  if (used.length > 0) inner.push({ op: 'closeOnExec', descriptors: used, origin: 'descriptors' })
  inner.push(...restoreOps(launch))
  if (kinds.has('user') && request.userBlock === undefined) inner.push({ op: 'awaitMaps', origin: '--unshare-user' })
  for (const path of launch.joins ?? []) inner.push({ op: 'joinGroup', path, origin: '--hutch-memory' })
  if (launch.gate !== undefined) inner.push({ op: 'blockOn', descriptor: launch.gate, origin: '--info-fd' })
  if (request.userBlock !== undefined)
    inner.push({ op: 'blockOn', descriptor: request.userBlock, origin: '--userns-block-fd' })
  inner.push(...enterOps(plan, launch))
  // mount propagation as in bubblewrap: later mounts of the host become visible inside, but not the reverse
  inner.push({
    op: 'mount',
    source: '',
    target: '/',
    type: '',
    flags: propagations.slave,
    data: '',
    origin: 'the mount namespace',
  })
  if (kinds.has('net')) inner.push({ op: 'loopbackUp', origin: '--unshare-net' })
  if (request.hostname !== undefined) inner.push({ op: 'setHostname', name: request.hostname, origin: '--hostname' })
  const ownPid = kinds.has('pid') || request.pidDescriptor !== undefined
  inner.push(...compileSteps(request.steps, ownPid, facts.terminal))
  inner.push({ op: 'pivotRoot', stays: 0, origin: 'the new root' })
  if (request.block !== undefined) inner.push({ op: 'blockOn', descriptor: request.block, origin: '--block-fd' })
  inner.push(...lastUserOps(plan))
  inner.push({
    op: 'chooseDirectory',
    directories: request.directory === undefined ? facts.directories : [request.directory],
    required: request.directory === undefined ? 0 : 1,
    origin: '--chdir',
  })
  if (request.newSession) inner.push({ op: 'newSession', origin: '--new-session' })
  for (const path of request.locks) inner.push({ op: 'takeLock', path, origin: '--lock-file' })
  inner.push(...capabilityOps(plan))
  inner.push({ op: 'noNewPrivileges', origin: 'bwrap' })
  if (request.diesWithParent) inner.push({ op: 'dieWithParent', signal: 9, origin: '--die-with-parent' })
  for (const filter of launch.filters) inner.push({ op: 'installFilter', filter, flags: 0, origin: '--seccomp' })
  if (request.name !== undefined) inner.push({ op: 'nameProgram', name: request.name, origin: '--argv0' })
  const path = launch.env.find((entry) => entry.startsWith('PATH='))?.slice(5) ?? '/bin:/usr/bin'
  inner.push({
    op: 'exec',
    argv: launch.words,
    env: launch.env,
    path,
    reap: Number(plan.stays),
    origin: 'the command',
  })
  return inner
}

function enterOps(plan: BwrapPlan, launch: BwrapLaunch): Op[] {
  const { request, kinds } = plan
  const ops: Op[] = []
  const enter = (descriptor: number | undefined, kind: 'user' | 'pid', origin: string) => {
    if (descriptor !== undefined) ops.push({ op: 'enterDescriptor', descriptor, kind: namespaces[kind].flag, origin })
  }
  enter(request.userDescriptor, 'user', '--userns')
  enter(request.pidDescriptor, 'pid', '--pidns')
  const fork: Op = { op: 'fork', signal: request.diesWithParent ? 9 : 0, origin: '--pidns' }
  // a pid namespace below a joined one can be created only by a process inside the joined one
  if (request.pidDescriptor !== undefined) ops.push(fork)
  const cloned = clonedKinds(plan, launch)
  const later = (['mount', ...kinds] as const).filter((kind) => !cloned.includes(kind))
  if (later.length > 0) ops.push({ op: 'unshare', flags: cloneFlags(later), origin: namespaceWords(plan) })
  if (later.includes('pid')) ops.push(fork)
  return ops
}

/** Returns the operations that create or join the last user namespace, in which the program runs. */
function lastUserOps(plan: BwrapPlan): Op[] {
  const { request, kinds, uid, gid } = plan
  const ops: Op[] = []
  const outer = outerIds(plan)
  if (kinds.has('user') && (request.disableUsers || outer.uid !== uid || outer.gid !== gid))
    ops.push({
      op: 'nestUser',
      users: `${uid} ${outer.uid} 1\n`,
      groups: `${gid} ${outer.gid} 1\n`,
      limit: Number(request.disableUsers),
      origin: request.disableUsers ? '--disable-userns' : '--dev',
    })
  if (request.lastUserDescriptor !== undefined)
    ops.push({
      op: 'enterDescriptor',
      descriptor: request.lastUserDescriptor,
      kind: namespaces.user.flag,
      origin: '--userns2',
    })
  if (request.disableUsers || request.assertUsersDisabled)
    ops.push({ op: 'refuseUsers', origin: request.disableUsers ? '--disable-userns' : '--assert-userns-disabled' })
  return ops
}

/**
 * Returns the operations that set the capabilities. By default root keeps all and other users lose all. --cap-add and --cap-drop then apply
 * in their order.
 */
function capabilityOps({ request, facts, ownsUser }: BwrapPlan): Op[] {
  const root = facts.uid === 0
  const changesCapabilities = request.capabilities.length > 0
  const origin = changesCapabilities ? '--cap-add, --cap-drop' : '--unshare-user'
  if (root && !changesCapabilities && !ownsUser) return []
  const wanted = chooseOrdered(root ? facts.permitted : [], facts.known, request.capabilities)
  const had = capabilityMask(ownsUser ? wanted : wanted.filter((one) => facts.permitted.includes(one)))
  // an exec by root gives the capabilities of the bounding set, an exec by other users those of the ambient set
  const passed = changesCapabilities ? had : 0
  const set: Op = {
    op: 'setCapabilities',
    effective: had,
    permitted: had,
    inheritable: passed,
    ambient: passed,
    origin,
  }
  if (!ownsUser) return [set]
  const ids = request.uid !== undefined || request.gid !== undefined
  const joined = request.userDescriptor !== undefined && ids
  return [
    { op: 'dropBounding', keep: had, origin },
    // a new user namespace starts with these ids; in a joined one, the process must change to them
    ...(joined ? [userOp(request.uid ?? noId, request.gid ?? noId)] : []),
    set,
  ]
}

const noId = 0xffff_ffff

function userOp(uid: number, gid: number): Op {
  return { op: 'setUser', uid, gid, groups: [], keepGroups: 1, keepCapabilities: 1, origin: '--uid, --gid' }
}

function chooseOrdered(
  base: readonly number[],
  known: readonly number[],
  changes: readonly { add: boolean; word: CapabilityWord }[],
): number[] {
  const chosen = new Set(base)
  for (const { add, word } of changes)
    for (const one of word === 'ALL' ? known : [word])
      if (add) chosen.add(one)
      else chosen.delete(one)
  return [...chosen].sort((a, b) => a - b)
}
