// SPDX-License-Identifier: Apache-2.0
// Locks directories that belong to a running process. A lock ends with its process and is valid across PID and time namespaces.
// Used for temporary directories and for records of what a clean-up must undo.
import { statSync } from '../system/files.ts'
import { lockModes, native } from '../system/native.ts'
import { encodePath } from '../text/non-utf8.ts'

/** Maximum time in milliseconds between the creation of a directory and its lock by the same process. */
const settleMs = 60_000

/** Locks a directory until this process ends or closes the descriptor. Returns the descriptor, or -errno. */
export function claimDirectory(path: string): number {
  return native().lockDirectory(encodePath(path), lockModes.exclusive | lockModes.atOnce)
}

/**
 * Locks a directory whose creator has ended. Returns the descriptor. Returns undefined if the creator is alive, or may be about to lock the
 * directory. `pid` is the creator's id in this process's PID namespace; undefined if the creator was in another namespace.
 */
export function takeOver(path: string, pid: number | undefined): number | undefined {
  const made = statSync(path, { throwIfNoEntry: false })
  if (!made || ((pid === undefined || exists(pid)) && Date.now() - made.mtimeMs < settleMs)) return undefined
  const lock = claimDirectory(path)
  return lock < 0 ? undefined : lock
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
  return true
}
