// SPDX-License-Identifier: Apache-2.0
// Directories that belong to a running process: its lock ends with it, and means the same in every pid and time namespace. Used for
// temporary directories and for records of what a clean-up must undo.
import { statSync } from 'node:fs'
import { native } from '../system/native.ts'
import { encodePath } from '../text/non-utf8.ts'

/** Milliseconds in which a maker that has just made its directory takes its lock. */
const settleMs = 60_000

/** Claims a directory until this process ends or closes the descriptor. Returns the descriptor, or -errno. */
export function claimDirectory(path: string): number {
  return native().lockDirectory(encodePath(path))
}

/**
 * Claims a directory whose maker has ended. Returns the descriptor, or undefined if the maker lives or may be about to claim it.
 * `pid` is the maker's id in this process's pid namespace; undefined if the maker was in another.
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
