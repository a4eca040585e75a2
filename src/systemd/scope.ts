// SPDX-License-Identifier: Apache-2.0
// Moves this process, and thereby its later jobs, into a systemd scope with a delegated group: systemd's documentation,
// "Control Group APIs and Delegation".

import { writeGroupFile } from '../cgroup/files.ts'
import { fail } from '../errors/errors.ts'
import { type Host, leafName, readHost, readOwnGroup, setHome } from '../host/host.ts'
import { existsSync, mkdirSync } from '../system/files.ts'
import { findBuses, type ManagerKind } from './address.ts'
import { type Call, callSystemd, type Failure } from './bus.ts'
import { explainFailure } from './failure.ts'
import { enclosingSlice, scopeName } from './unit.ts'

/** Options for entering a systemd scope. */
export interface ScopeOptions {
  /**
   * Which systemd to use: the machine's, which requires root, or the user's own. The default is the machine's for root,
   * and the user's own for other users.
   */
  manager?: ManagerKind
}

/** The systemd scope that contains this process. */
export interface Scope {
  /** Name of the scope's unit, such as `hutch-4711-98765.scope`. */
  unit: string
  /**
   * Directory of the scope's group, which is delegated to this user. Jobs' groups are created in it; this process is in
   * a leaf group beside them.
   */
  directory: string
}

/** Returns true if systemd manages the machine: sd_booted(3). Takes a single call of stat(2). */
export function isSystemdMachine(): boolean {
  return existsSync('/run/systemd/system')
}

/** Returns true if systemd manages the visible v2 tree and this process is in one of its units. */
export function isSystemdTree({ layout, unified }: Host): boolean {
  if (layout !== 'v2' || !isSystemdMachine()) return false
  // false in a cgroup namespace: there the own group looks like the root, and the mount option nsdelegate prevents leaving it
  return unified!.own !== unified!.mount && existsSync(`${unified!.mount}/init.scope`)
}

const noSystemd = 'systemd does not manage this machine, its groups are not v2, or this is a container'
let entered: Promise<Scope> | undefined

/** Enters a scope as `enterScope` does. `what` describes the request in the error message. */
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
  setHome(directory)
  return { unit, directory }
}

/** The properties of a scope to request. */
interface ScopeWish {
  /** The first process in the scope. 0 means the caller. systemd reads any other number as an id of its own pid namespace. */
  pid?: number
  description?: string
  /** The slice that contains the scope. By default, systemd chooses it. */
  slice?: string
}

/** Returns the D-Bus call that requests a scope from systemd. */
export function startScope(unit: string, { pid = 0, description = 'hutch and its jobs', slice }: ScopeWish = {}): Call {
  const properties: [string, [string, string | boolean | bigint | number[]]][] = [
    ['Description', ['s', description]],
    ['Delegate', ['b', true]],
    // no limit, instead of systemd's default limit of tasks, which the user did not request
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

/**
 * Moves a process into a leaf group below the scope's, because a v2 group whose children have controllers cannot
 * contain processes.
 */
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
