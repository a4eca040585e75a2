// SPDX-License-Identifier: Apache-2.0
// Creates a systemd scope for groups that outlive the command that created them. systemd removes an empty scope, so a
// keeper process stays in it.

import { isGroup, readChildren, readGroupFile, readWords } from '../cgroup/files.ts'
import { fail, quote } from '../errors/errors.ts'
import { type Host, leafName, readHost } from '../host/host.ts'
import { findInsideProgram } from '../system/native.ts'
import { spawn } from '../system/processes.ts'
import { findBuses, type ManagerKind } from './address.ts'
import { callSystemd, type Failure } from './bus.ts'
import { explainFailure } from './failure.ts'
import { isSystemdTree, moveToLeaf, startScope } from './scope.ts'
import { defaultSlice, isBelowUnit } from './unit.ts'

const unit = 'hutch.scope'

/**
 * Returns true if groups that the user names without a path belong into the scope `hutch.scope`. This is so if systemd
 * manages the tree, and nothing is delegated to this process.
 */
export function needsKeeper(host: Host): boolean {
  return isSystemdTree(host) && host.home === undefined && !isBelowUnit(host.unified!.own)
}

/**
 * Returns the group of the scope `hutch.scope`, which is delegated to this user. Creates the scope if it does not
 * exist.
 *
 * @throws SYSTEMD_UNREACHABLE, SYSTEMD_REFUSED, SYSTEMD_ANSWER_INVALID, CGROUP_REFUSED
 */
export async function keepScope(): Promise<string> {
  const host = readHost()
  const known = scopeDirectory(host)
  if (isGroup(known) && readWords(`${known}/${leafName}`, 'cgroup.procs').length > 0) return known
  const keeper = spawn(findInsideProgram(), ['keep'], { detached: true, stdio: 'ignore', cwd: '/' })
  keeper.unref()
  try {
    return await holdScope(host, keeper.pid!)
  } catch (error) {
    keeper.kill()
    throw error
  }
}

function scopeDirectory(host: Host): string {
  return `${defaultSlice(host.unified!.mount, host.uid).slice}/${unit}`
}

async function holdScope(host: Host, pid: number): Promise<string> {
  const kind: ManagerKind = host.uid === 0 ? 'system' : 'user'
  const explain = (failure: Failure) =>
    explainFailure(failure, { what: 'delegate a permanent group', kind, unit, own: host.unified?.own })
  const buses = findBuses(kind, process.env, host.uid)
  const answer = await callSystemd(buses, startScope(unit, { pid, description: 'permanent groups of hutch' }), {
    waitsForJob: true,
  })
  if ('kind' in answer) throw explain(answer)
  if (answer.jobResult !== 'done') throw explain({ kind: 'refused', errorName: `job ${answer.jobResult}`, text: '' })
  const path = /^0::(.*)$/m.exec(readGroupFile(`/proc/${pid}`, 'cgroup') ?? '')?.[1]
  if (!path?.endsWith(`/${unit}`)) throw fail('SYSTEMD_ANSWER_INVALID', { why: `the keeper is in ${quote(path)}` })
  const directory = `${host.unified!.mount}${path}`
  moveToLeaf(directory, String(pid))
  return directory
}

/** Ends the keeper process of `hutch.scope` if no other group is left in it. systemd then removes the scope. */
export function releaseScope(host: Host): void {
  if (!isSystemdTree(host)) return
  const directory = scopeDirectory(host)
  if (readChildren(directory).some((name) => name !== leafName)) return
  for (const pid of readWords(`${directory}/${leafName}`, 'cgroup.procs'))
    try {
      process.kill(Number(pid), 'SIGTERM')
    } catch {
      // ignored: the keeper process has already ended
    }
}
