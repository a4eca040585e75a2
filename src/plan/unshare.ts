// SPDX-License-Identifier: Apache-2.0
// Compiles a request of `hutch unshare` to a Program, with the operations in the order of unshare(1). Called by
// dropin/util-linux/; pure.

import { privateProc } from '../mounts/private-mounts.ts'
import { type Extent, mapWords } from '../namespaces/id-map.ts'
import { cloneFlags, type NamespaceKind, namespaces } from '../namespaces/namespace.ts'
import { mountFlags } from '../ops/mount-flags.ts'
import { type Op, type Program, sessions } from '../ops/ops.ts'

/** The program that unshare or nsenter starts, its environment, and what it inherits. */
export interface Launch {
  /** Command and arguments; if empty, the user's shell is started. */
  words: string[]
  shell: string
  env: string[]
  descriptors: number[]
  /** The caller's limit of open files, if Node has raised it for its own process. */
  openFiles?: { soft: number; hard: number }
}

/** How the user ids or the group ids are mapped: by unshare's process itself, or by hutch, which may call newuidmap(1). */
export type IdMap = { by: 'itself'; inside: number; outside: number } | { by: 'hutch'; extents: Extent[]; tool: string }

/** The options of unshare, with ids and signals as numbers. */
export interface UnshareRequest {
  kinds: NamespaceKind[]
  /** Files on which the new namespaces are mounted, so that they continue to exist without a process. */
  files: { kind: NamespaceKind; file: string }[]
  fork: boolean
  /** The signal that the child gets when unshare ends; 0 means no signal. */
  killChild: number
  users?: IdMap
  groups?: IdMap
  setgroups?: 'allow' | 'deny'
  propagation: Propagation
  mountProc?: string
  mountBinfmt?: string
  loadInterpreter?: string
  root?: string
  directory?: string
  uid?: number
  gid?: number
  monotonic?: string
  boottime?: string
  keepCapabilities: boolean
  /** The owner of the new user namespace. If given, hutch writes the id maps. */
  owner?: { uid: number; gid: number }
}

export const propagations = {
  slave: mountFlags.rec + mountFlags.slave,
  private: mountFlags.rec + mountFlags.private,
  shared: mountFlags.rec + mountFlags.shared,
  unchanged: 0,
} as const

export type Propagation = keyof typeof propagations

const noId = 0xffff_ffff
const binfmtDirectory = '/proc/sys/fs/binfmt_misc'
const defaultSearch = '/bin:/usr/bin'

/** Compiles the options of unshare to both sections of a program. */
export function compileUnshare(request: UnshareRequest, launch: Launch): Program {
  return { outer: compileOuter(request, launch), inner: compileInner(request, launch) }
}

/**
 * Returns true if the command can begin in its namespaces. This takes one process less than a fork after unshare(2), and a group may have few
 * left. It is not possible if a step between unshare and fork needs the new namespaces.
 */
function isCloned({ fork, kinds, users, groups, setgroups, owner, files, killChild }: UnshareRequest): boolean {
  const isMapped = users !== undefined || groups !== undefined || setgroups !== undefined || owner !== undefined
  const isPlain = !isMapped && files.length === 0 && killChild === 0
  return fork && isPlain && !kinds.includes('user') && !kinds.includes('time')
}

const nameKinds = (kinds: readonly NamespaceKind[]) => kinds.map((kind) => `--${kind}`).join(' ')

/** Returns the outer operations with which unshare and nsenter begin. */
export function startOps(launch: Launch, kinds: readonly NamespaceKind[] = []): Op[] {
  const origin = kinds.length > 0 ? nameKinds(kinds) : 'the command'
  const spawn: Op = { op: 'spawn', flags: cloneFlags(kinds), group: '', session: sessions.kept, origin }
  if (launch.descriptors.length === 0) return [spawn]
  return [{ op: 'keepDescriptors', descriptors: launch.descriptors, origin: 'the command' }, spawn]
}

/** Returns the outer operation with which unshare and nsenter end. */
export function waitOp(): Op {
  return {
    op: 'wait',
    timeoutMs: 0,
    killAfterMs: 0,
    stopSignal: 15,
    reaps: 0,
    procs: [],
    killFile: '',
    origin: 'the command',
  }
}

/** Returns operations that undo what Node has changed in this process, so that the started program does not inherit it. */
export function restoreOps({ openFiles }: Launch): Op[] {
  return openFiles ? [{ op: 'setLimit', resource: 7, ...openFiles, origin: 'the command' }] : []
}

/** Returns the inner operation that executes the program; it is the last one. */
export function execOp({ words, shell, env }: Launch): Op {
  if (words.length === 0) {
    const name = shell.slice(shell.lastIndexOf('/') + 1)
    return { op: 'execFile', file: shell, argv: [`-${name}`], env, origin: 'the command' }
  }
  const path = env.find((entry) => entry.startsWith('PATH='))?.slice(5) ?? defaultSearch
  return { op: 'exec', argv: words, env, path, reap: 0, origin: 'the command' }
}

function compileOuter(request: UnshareRequest, launch: Launch): Op[] {
  const { users, groups, setgroups, files } = request
  const outer = startOps(launch, isCloned(request) ? request.kinds : [])
  const wordsBy = (map: IdMap | undefined) => (map?.by === 'hutch' ? mapWords(map.extents) : [])
  if (users?.by === 'hutch' || groups?.by === 'hutch')
    outer.push({
      op: 'mapIds',
      users: wordsBy(users),
      groups: wordsBy(groups),
      denySetgroups: Number(groups?.by === 'hutch' && setgroups === 'deny'),
      userTool: users?.by === 'hutch' ? users.tool : '',
      groupTool: groups?.by === 'hutch' ? groups.tool : '',
      origin: '--map-users, --map-groups',
    })
  if (files.length > 0)
    outer.push({
      op: 'bindNamespaces',
      kinds: files.map(({ kind }) =>
        kind === 'pid' || kind === 'time' ? `${namespaces[kind].file}_for_children` : namespaces[kind].file,
      ),
      files: files.map(({ file }) => file),
      origin: files.map(({ kind, file }) => `--${kind}=${file}`).join(' '),
    })
  return [...outer, waitOp()]
}

function compileInner(request: UnshareRequest, launch: Launch): Op[] {
  const { kinds, users, groups, setgroups, files, fork } = request
  const inner: Op[] = restoreOps(launch)
  const own = (path: string, value: string, origin: string) =>
    inner.push({ op: 'writeOwnFile', path: `/proc/self/${path}`, value, origin })
  if (request.owner) inner.push({ op: 'takeIds', ...request.owner, groups: 1, origin: '--owner' })
  const cloned = isCloned(request)
  if (kinds.length > 0 && !cloned) inner.push({ op: 'unshare', flags: cloneFlags(kinds), origin: nameKinds(kinds) })
  if (users?.by === 'hutch' || groups?.by === 'hutch')
    inner.push({ op: 'awaitMaps', origin: '--map-users, --map-groups' })
  for (const clock of ['boottime', 'monotonic'] as const)
    if (request[clock] !== undefined) own('timens_offsets', `${clock} ${request[clock]} 0`, `--${clock}`)
  // write the maps before the fork: until its exec, root owns the child's files in /proc, so the child could not write them
  if (users?.by === 'itself') own('uid_map', `${users.inside} ${users.outside} 1`, '--map-user')
  if (groups?.by === 'itself') {
    own('setgroups', 'deny', '--map-group')
    own('gid_map', `${groups.inside} ${groups.outside} 1`, '--map-group')
  }
  if (setgroups && !(groups?.by === 'hutch' && setgroups === 'deny')) own('setgroups', setgroups, '--setgroups')
  if (fork && !cloned) inner.push({ op: 'fork', signal: request.killChild, origin: '--fork' })
  if (files.length > 0) inner.push({ op: 'awaitMaps', origin: files.map(({ kind }) => `--${kind}`).join(' ') })
  inner.push(...compileMounts(request))
  const { uid, gid, keepCapabilities } = request
  if (uid !== undefined || gid !== undefined)
    inner.push({
      op: 'takeIds',
      uid: uid ?? noId,
      gid: gid ?? noId,
      groups: Number(gid !== undefined),
      origin: '--setuid, --setgid',
    })
  if (keepCapabilities && kinds.includes('user')) inner.push({ op: 'keepCapabilities', origin: '--keep-caps' })
  // without --fork the command replaces unshare, so killing hutch, the visible process, must also kill the command
  if (!fork) inner.push({ op: 'dieWithParent', signal: 9, origin: 'the command' })
  return [...inner, execOp(launch)]
}

function compileMounts(request: UnshareRequest): Op[] {
  const { kinds, propagation, root, mountProc, mountBinfmt, loadInterpreter } = request
  const ops: Op[] = []
  const flags = propagations[propagation]
  if (kinds.includes('mount') && flags)
    ops.push({ op: 'mount', source: 'none', target: '/', type: '', flags, data: '', origin: '--propagation' })
  const binfmt = (target: string) => {
    const { nosuid, nodev, noexec } = mountFlags
    const options = nosuid + nodev + noexec
    const at = { target, data: '', origin: '--mount-binfmt' }
    ops.push({ op: 'mount', source: 'binfmt_misc', type: 'binfmt_misc', flags: options, ...at })
  }
  const register = () => {
    if (loadInterpreter !== undefined)
      ops.push({
        op: 'writeOwnFile',
        path: `${mountBinfmt}/register`,
        value: loadInterpreter,
        origin: '--load-interp',
      })
  }
  // register the interpreter before changing the root: with flag F the kernel opens it at once, and the path is meant
  // in the caller's root
  const outside = root !== undefined && mountBinfmt !== undefined && loadInterpreter !== undefined
  if (outside) {
    binfmt(binfmtDirectory)
    register()
  }
  if (root !== undefined) ops.push({ op: 'changeRoot', path: root, origin: '--root' })
  const directory = request.directory ?? (root !== undefined ? '/' : undefined)
  if (directory !== undefined) ops.push({ op: 'changeDirectory', path: directory, origin: '--wd' })
  // make the mount private, because otherwise the new /proc would also be visible outside; not needed with a new root
  // or --propagation private
  if (mountProc === '/proc' && root === undefined && propagation !== 'private')
    ops.push({
      op: 'mount',
      source: 'none',
      target: mountProc,
      type: '',
      flags: propagations.private,
      data: '',
      origin: '--mount-proc',
    })
  if (mountProc !== undefined) ops.push({ ...privateProc('--mount-proc'), target: mountProc } as Op)
  if (mountBinfmt !== undefined) {
    binfmt(mountBinfmt)
    if (!outside) register()
  }
  return ops
}
