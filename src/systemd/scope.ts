// SPDX-License-Identifier: Apache-2.0
// A scope of systemd's with a delegated group, for this process and its jobs: systemd's documentation, "Control Group APIs and Delegation".

import { writeGroupFile } from '../cgroup/files.ts'
import { fail } from '../errors/errors.ts'
import { type Host, leafName, readHost, readOwnGroup, settleHost } from '../host/host.ts'
import { existsSync, mkdirSync } from '../system/files.ts'
import { findBuses, type ManagerKind } from './address.ts'
import { type Call, callSystemd, type Failure } from './bus.ts'
import { explainFailure } from './failure.ts'
import { enclosingSlice, scopeName } from './unit.ts'

/** Which systemd is asked. */
export interface ScopeOptions {
  /** The machine's, which takes root, or the user's own: if not given, by who this process is. */
  manager?: ManagerKind
}

/** The scope that this process is in. */
export interface Scope {
  /** Name of the unit, such as `hutch-4711-98765.scope`. */
  unit: string
  /** Its group, delegated to this user. Jobs' groups go into it, this process is in a leaf beside them. */
  directory: string
}

/** Whether systemd runs the machine: sd_booted(3). One look, so that others' machines pay no more than that. */
export function isSystemdMachine(): boolean {
  return existsSync('/run/systemd/system')
}

/** Returns true if systemd manages the visible v2 tree and this process is in one of its units. */
export function isSystemdTree({ layout, unified }: Host): boolean {
  if (layout !== 'v2' || !isSystemdMachine()) return false
  // in a cgroup namespace the own group seems to be the root, and nsdelegate forbids to leave it
  return unified!.own !== unified!.mount && existsSync(`${unified!.mount}/init.scope`)
}

const noSystemd = 'systemd does not manage this machine, its groups are not v2, or this is a container'
let entered: Promise<Scope> | undefined

/**
 * Moves this process, with all its threads but not its children, into a delegated scope of systemd. Later jobs get their groups there.
 * systemd removes the scope when its last process has ended. A second call returns the same scope.
 * @throws SYSTEMD_UNREACHABLE, SYSTEMD_REFUSED, SYSTEMD_ANSWER_INVALID, CGROUP_REFUSED
 */
export function enterScope(options: ScopeOptions = {}): Promise<Scope> {
  return enterScopeTo('delegate a group', options)
}

/** The same, for what the error is to name. */
export function enterScopeTo(what: string, options: ScopeOptions = {}): Promise<Scope> {
  entered ??= enter(what, options).catch((error) => {
    entered = undefined
    throw error
  })
  return entered
}

async function enter(what: string, options: ScopeOptions): Promise<Scope> {
  const host = readHost()
  const kind = options.manager ?? (host.uid === 0 ? 'system' : 'user')
  const unit = scopeName(host.owner)
  const explain = (failure: Failure) => explainFailure(failure, { what, kind, unit, own: host.unified?.own })
  if (!isSystemdTree(host)) throw explain({ kind: 'unreachable', tried: [noSystemd] })
  const slice = enclosingSlice(host.unified!, kind === 'system' ? 0 : host.uid)
  const answer = await callSystemd(findBuses(kind, process.env, host.uid), startScope(unit, { slice }), {
    waitsForJob: true,
  })
  if ('kind' in answer) throw explain(answer)
  if (answer.jobResult !== 'done') throw explain({ kind: 'refused', errorName: `job ${answer.jobResult}`, text: '' })
  const directory = readOwnGroup()
  if (!directory?.endsWith(`/${unit}`)) throw fail('SYSTEMD_ANSWER_INVALID', { why: `this process is in ${directory}` })
  moveToLeaf(directory, '0')
  settleHost(directory)
  return { unit, directory }
}

/** Of a scope that is asked for. */
interface ScopeWish {
  /** The first process in it. 0 is whoever sends this: another number is read in systemd's pid namespace, which may not be ours. */
  pid?: number
  description?: string
  /** Its directory; systemd's own choice if not given. */
  slice?: string
}

/** The call that asks for it. */
export function startScope(unit: string, { pid = 0, description = 'hutch and its jobs', slice }: ScopeWish = {}): Call {
  const properties: [string, [string, string | boolean | bigint | number[]]][] = [
    ['Description', ['s', description]],
    ['Delegate', ['b', true]],
    // systemd's usual limit of tasks is not one that somebody asked hutch for
    ['TasksMax', ['t', 2n ** 64n - 1n]],
    ['PIDs', ['au', [pid]]],
    ['CollectMode', ['s', 'inactive-or-failed']],
  ]
  if (slice !== undefined) properties.push(['Slice', ['s', slice.slice(slice.lastIndexOf('/') + 1)]])
  return {
    interface: 'org.freedesktop.systemd1.Manager',
    member: 'StartTransientUnit',
    signature: 'ssa(sv)a(sa(sv))',
    args: [unit, 'fail', properties, []],
  }
}

/** A v2 group with controlled children may not have processes of its own. */
export function moveToLeaf(directory: string, pid: string): void {
  const leaf = `${directory}/${leafName}`
  const refused = (what: string, path: string, errno: string, cause?: unknown) =>
    fail('CGROUP_REFUSED', { what, path, errno, remedy: 'see hutch doctor' }, cause)
  try {
    mkdirSync(leaf)
  } catch (error) {
    throw refused('make the group', leaf, (error as NodeJS.ErrnoException).code ?? 'EIO', error)
  }
  const errno = writeGroupFile(leaf, 'cgroup.procs', pid)
  if (errno) throw refused('join', leaf, errno)
}
