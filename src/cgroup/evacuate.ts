// SPDX-License-Identifier: Apache-2.0
// Moves the processes of a v2 group to a leaf below it, so that it can enable controllers for children: cgroup-v2.rst, "No Internal Process
// Constraint".

import { fail, type HutchError, quote } from '../errors/errors.ts'
import { optionOfRun, text } from '../errors/remedy-text.ts'
import { leafName, statField } from '../host/host.ts'
import { effectiveUser } from '../host/passwd.ts'
import { makeDirectory, readGroupFile, readWords, removeDirectory, writeGroupFile } from './files.ts'

const kernelThread = 0x0020_0000
/**
 * Maximum number of passes. Each pass moves all processes that are in the group. More than a few passes are needed only if the group forks
 * faster than that.
 */
const maxPasses = 1000

/**
 * Moves every process of `directory` to `directory`/hutch-leaf until the group is empty. If one cannot be moved, moves all processes back.
 *
 * @throws CGROUP_NOT_EVACUATED
 */
export function evacuate(directory: string, uid: number = effectiveUser()): void {
  const leaf = `${directory}/${leafName}`
  for (const pid of readWords(directory, 'cgroup.procs')) refuseForeign(directory, pid, uid)
  const made = makeLeaf(directory, leaf)
  for (let pass = 0; pass < maxPasses; pass++) {
    const pids = readWords(directory, 'cgroup.procs')
    if (pids.length === 0) return
    for (const pid of pids) {
      const errno = writeGroupFile(leaf, 'cgroup.procs', pid)
      // ESRCH: the process has ended
      if (errno !== undefined && errno !== 'ESRCH') throw undo(directory, leaf, made, notMoved(directory, pid, errno))
    }
  }
  throw undo(directory, leaf, made, notMoved(directory, readWords(directory, 'cgroup.procs')[0] ?? '', 'EAGAIN'))
}

/** Creates the child group hutch-leaf. Returns false if it already existed. */
function makeLeaf(directory: string, leaf: string): boolean {
  const refuse = (why: string, errno: string) =>
    fail('CGROUP_NOT_EVACUATED', {
      directory,
      why,
      errno,
      remedy: text`name another group with ${optionOfRun('parent')}`,
    })
  const errno = makeDirectory(leaf)
  if (errno === undefined) return true
  if (errno !== 'EEXIST') throw refuse(`${leaf} cannot be made`, errno)
  const type = readGroupFile(leaf, 'cgroup.type')
  if (type !== 'domain') throw refuse(`${leaf} is of type ${type}`, 'EOPNOTSUPP')
  return false
}

/** Checks all processes before any is moved, and refuses those that must not or cannot be moved. */
function refuseForeign(directory: string, pid: string, uid: number): void {
  const refuse = (why: string) =>
    fail('CGROUP_NOT_EVACUATED', {
      directory,
      why,
      errno: 'EPERM',
      remedy: text`name another group with ${optionOfRun('parent')}`,
    })
  if (pid === '0') throw refuse('it has processes of another pid namespace')
  const stat = readProcess(pid, 'stat')
  const flags = Number(statField(stat, 9) ?? 0)
  if (flags & kernelThread) throw refuse(`${describe(pid)} is a thread of the kernel`)
  const owner = /^Uid:\s+(\d+)/m.exec(readProcess(pid, 'status'))?.[1]
  if (uid !== 0 && owner !== undefined && Number(owner) !== uid)
    throw refuse(`${describe(pid)} belongs to user ${owner}`)
}

function notMoved(directory: string, pid: string, errno: string): Parameters<typeof fail<'CGROUP_NOT_EVACUATED'>>[1] {
  return {
    directory,
    why:
      errno === 'EAGAIN' ? 'new processes start faster than they can be moved' : `the kernel refused ${describe(pid)}`,
    errno,
    remedy: text`name another group with ${optionOfRun('parent')}`,
  }
}

function undo(
  directory: string,
  leaf: string,
  made: boolean,
  facts: Parameters<typeof fail<'CGROUP_NOT_EVACUATED'>>[1],
): HutchError {
  if (!made) return fail('CGROUP_NOT_EVACUATED', facts)
  const unmovable = readWords(leaf, 'cgroup.procs').filter((pid) => {
    const errno = writeGroupFile(directory, 'cgroup.procs', pid)
    return errno !== undefined && errno !== 'ESRCH'
  })
  if (removeDirectory(leaf) === undefined) return fail('CGROUP_NOT_EVACUATED', facts)
  const evidence = [`and these could not be moved back from ${leaf}: ${unmovable.map(describe).join(', ')}`]
  return fail('CGROUP_NOT_EVACUATED', { ...facts, evidence })
}

function describe(pid: string): string {
  const name = readProcess(pid, 'comm')
  return name === '' ? `process ${pid}` : `process ${pid} (${quote(name)})`
}

/** Returns the text of a file of a process in /proc; '' if the process has ended. */
function readProcess(pid: string, file: string): string {
  return readGroupFile(`/proc/${pid}`, file) ?? ''
}
