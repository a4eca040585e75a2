// SPDX-License-Identifier: Apache-2.0
// Compiles the inner section of a container, in the order of its life: namespaces, root, what the command inherits,
// privileges, start. Comments give the reason wherever the order matters. Called by compile.ts; pure.
import { separateMounts } from '../mounts/private-mounts.ts'
import { rootOps } from '../mounts/root.ts'
import { cloneFlags, namespaces } from '../namespaces/namespace.ts'
import type { Op } from '../ops/ops.ts'
import type { ContainerSpec } from '../options/container-spec.ts'
import { viewGroups } from './compile-groups.ts'
import type { Plan } from './plan.ts'
import { clonedKinds, continuesAsSibling } from './processes.ts'

const origin = 'run'
/** Permissions to find a key: of its user, or of others, for a keyring that a user namespace does not map. See keyctl_setperm(3). */
const keySearch = { user: 0x0008_0000, other: 0x0000_0008 }

/** Compiles the operations of the child up to the exec of the command. */
export function compileContainer(plan: Plan, container: ContainerSpec): Op[] {
  const root = makeRoot(plan, container)
  return [
    // no other descriptor may reach the command, because it could lead to the host (CVE-2024-21626)
    { op: 'closeOnExecFrom', first: 3 + container.keptStreams, origin: 'stdio' },
    ...enterNamespaces(plan, container),
    ...awaitRelease(container, root),
    ...root,
    ...openTerminal(plan, container),
    ...limitProcess(plan, container),
    ...dropPrivileges(plan, container),
    ...awaitStart(container),
    ...installFilter(plan),
    ...nameProgram(container),
    { op: 'exec', argv: plan.argv, env: plan.env, path: plan.searchPath, reap: 0, origin: 'command' },
  ]
}

function nameProgram({ programName }: ContainerSpec): Op[] {
  return programName === undefined ? [] : [{ op: 'nameProgram', name: programName, origin: 'command' }]
}

function awaitStart({ startSocket, endsWithCreator }: ContainerSpec): Op[] {
  if (startSocket === undefined) return []
  return [{ op: 'awaitStart', descriptor: startSocket, endsWithCreator: endsWithCreator ? 1 : 0, origin }]
}

function enterNamespaces(plan: Plan, { labels, keyring }: ContainerSpec): Op[] {
  const { spec, isolate, userNamespace } = plan
  const cloned = clonedKinds(plan)
  const later = isolate.filter((kind) => kind !== 'time' && kind !== 'user' && !cloned.includes(kind))
  const awaitMaps: Op[] = userNamespace ? [{ op: 'awaitMaps', origin: 'isolate' }] : []
  const ops: Op[] = []
  if (cloned.includes('user')) ops.push(...awaitMaps)
  // outside the user namespace, because only there can a limit be raised
  else if (userNamespace || spec.joins.some(({ kind }) => kind === 'user'))
    for (const { resource, hard, exact } of spec.privileges.ulimits)
      ops.push({ op: 'raiseLimit', resource, hard: exact?.hard ?? hard, origin: 'ulimits' })
  // join by the groups' paths on the host, before a mount namespace is joined, and before a cgroup namespace is created
  for (const { controller, directory } of [...plan.groups, ...plan.entered])
    if (controller !== '') ops.push({ op: 'joinGroup', path: `${directory}/tasks`, origin })
  if (spec.privileges.oomScoreAdj !== undefined)
    ops.push({ op: 'setOomScore', value: String(spec.privileges.oomScoreAdj), keeps: 1, origin: 'oomScoreAdj' })
  // by the host's /proc, because that of the container may be another file system (CVE-2019-16884); used at the exec
  for (const { file, value } of labels ?? [])
    ops.push({ op: 'writeOwnFile', path: `/proc/thread-self/attr/${file}`, value, origin })
  if (spec.joins.length > 0)
    ops.push({
      op: 'joinNamespaces',
      paths: spec.joins.map(({ path }) => path),
      kinds: spec.joins.map(({ kind }) => namespaces[kind].flag),
      origin: 'join',
    })
  // the other new namespaces must belong to the new user namespace
  if (isolate.includes('user') && !cloned.includes('user'))
    ops.push({ op: 'unshare', flags: cloneFlags(['user']), origin: 'isolate' }, ...awaitMaps)
  if (later.length > 0) ops.push({ op: 'unshare', flags: cloneFlags(later), origin: 'isolate' })
  if (isolate.includes('time') && !cloned.includes('time'))
    ops.push({ op: 'offsetClocks', offsets: spec.timeOffsets ?? '', origin: 'timeOffset' })
  if (continuesAsSibling(plan)) ops.push({ op: 'continueAsSibling', origin: 'isolate' })
  ops.push({ op: 'newSession', origin })
  if (keyring !== undefined)
    ops.push({
      op: 'joinKeyring',
      name: keyring,
      adds: spec.root ? keySearch[userNamespace ? 'other' : 'user'] : 0,
      origin,
    })
  return ops
}

/**
 * The child receives the mounts that were sent to it before it waits: messages keep their order. A hooked root waits
 * itself.
 */
function awaitRelease({ waitsBeforeRoot }: ContainerSpec, root: readonly Op[]): Op[] {
  if (root.some(({ op }) => op === 'awaitRelease')) return []
  const mounts = root.filter(({ op }) => op === 'attachSent').length
  return waitsBeforeRoot ? [{ op: 'awaitRelease', mounts, origin }] : []
}

/**
 * The settings in /proc/sys are written to the host's /proc, so before the root is changed. In the container's /proc
 * they are read-only, and it may be another file system. Hooks come first: a setting can be that of a network device
 * that they add.
 */
function makeRoot(plan: Plan, { rootChange }: ContainerSpec): Op[] {
  const { spec, isolate } = plan
  const joinsPid = spec.joins.some(({ kind }) => kind === 'pid')
  const ops: Op[] = []
  if (isolate.includes('mount')) ops.push(...separateMounts('isolate', spec.root))
  if (spec.root) ops.push(...rootOps(spec.root, isolate, joinsPid, viewGroups(plan)))
  const settings = spec.sysctls.map(
    ({ path, value }): Op => ({ op: 'setSysctl', path: `/proc/sys/${path}`, value, origin: 'sysctls' }),
  )
  ops.splice(ops.findIndex(({ op }) => op === 'awaitRelease') + 1, 0, ...settings)
  const pivot = ops.findIndex(({ op }) => op === 'pivotRoot')
  if (rootChange === 'move' && pivot >= 0) ops[pivot] = { op: 'moveRoot', origin: 'rootfs' }
  if (spec.hostname !== undefined) ops.push({ op: 'setHostname', name: spec.hostname, origin: 'hostname' })
  if (spec.domainname !== undefined) ops.push({ op: 'setDomainname', name: spec.domainname, origin: 'domainname' })
  if (isolate.includes('net')) ops.push({ op: 'loopbackUp', origin: 'isolate' })
  return ops
}

/** The terminal belongs to a devpts of the container. A command that enters a container does not replace its console. */
function openTerminal({ spec }: Plan, { terminal, ids }: ContainerSpec): Op[] {
  return terminal
    ? [{ op: 'openTerminal', ...terminal, uid: ids.uid, binds: spec.root ? 1 : 0, origin: 'terminal' }]
    : []
}

/** Limits and priorities come before the ids change, because raising them needs root. */
function limitProcess({ spec }: Plan, container: ContainerSpec): Op[] {
  const { personality, schedulerAttributes, affinity, memoryPolicy } = container
  const { ulimits, nice, ioPriority, scheduler } = spec.privileges
  const ops: Op[] = []
  if (scheduler) ops.push({ op: 'setScheduler', ...scheduler, origin: 'scheduler' })
  if (schedulerAttributes) ops.push({ op: 'setSchedulerAttributes', ...schedulerAttributes, origin: 'scheduler' })
  if (nice !== undefined) ops.push({ op: 'setNice', nice, origin: 'nice' })
  if (ioPriority !== undefined) ops.push({ op: 'setIoPriority', priority: ioPriority, origin: 'ioPriority' })
  if (affinity?.final) ops.push({ op: 'setAffinity', processors: affinity.final, origin })
  if (memoryPolicy) ops.push({ op: 'setMemoryPolicy', ...memoryPolicy, origin })
  if (personality !== undefined) ops.push({ op: 'setPersonality', persona: personality, origin })
  for (const { resource, soft, hard, exact = { soft, hard } } of ulimits)
    ops.push({ op: 'setLimit', resource, ...exact, origin: 'ulimits' })
  return ops
}

function dropPrivileges(plan: Plan, { umask, checksProgram }: ContainerSpec): Op[] {
  const { ids, capabilities, spec } = plan
  const ops: Op[] = []
  // only root may be able to enter the working directory
  if (spec.workdir !== undefined) ops.push({ op: 'tryDirectory', path: spec.workdir, origin: 'workdir' })
  if (umask !== undefined) ops.push({ op: 'setUmask', mask: umask, origin })
  if (capabilities?.bounding !== undefined)
    ops.push({ op: 'dropBounding', keep: capabilities.bounding, origin: 'capDrop' })
  const keepCapabilities = capabilities && capabilities.permitted > 0 ? 1 : 0
  if (ids) ops.push({ op: 'setUser', ...ids, keepCapabilities, origin: 'user' })
  if (capabilities) {
    const { permitted, effective = permitted, inheritable, ambient } = capabilities
    ops.push({ op: 'setCapabilities', effective, permitted, inheritable, ambient, origin: 'capAdd' })
  }
  if (spec.workdir !== undefined) ops.push({ op: 'enterInside', path: spec.workdir, origin: 'workdir' })
  if (checksProgram) ops.push({ op: 'checkProgram', program: plan.argv[0]!, path: plan.searchPath, origin: 'command' })
  if (!spec.privileges.newPrivileges) ops.push({ op: 'noNewPrivileges', origin: 'newPrivileges' })
  return ops
}

/** The filter is only stored here. The exec installs it, so it need not allow the operations before. */
function installFilter({ filter }: Plan): Op[] {
  if (!filter) return []
  const { words, flags } = filter
  if (filter.listens)
    return [
      { op: 'receiveAgent', origin },
      { op: 'superviseFilter', noticed: words, plain: words, flags, origin: 'seccomp' },
    ]
  return [{ op: 'installFilter', filter: words, flags, origin: 'seccomp' }]
}
