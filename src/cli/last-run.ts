// SPDX-License-Identifier: Apache-2.0
// Stores the report of a user's newest run that did not end with 0, for `hutch why` without an argument: $XDG_STATE_HOME/hutch/last.json,
// mode 0600. HUTCH_STATE=0 disables it. A failure to write is not reported, because no run depends on the file.

import { lstatSync, mkdirSync, renameSync, rmSync, writeFileSync } from '../system/files.ts'
import { dirname } from '../system/paths.ts'
import { randomBytes } from '../system/random.ts'
import { homedir } from '../system/users.ts'

/**
 * Returns the path of the file that stores the report of the last failed run. Returns undefined if HUTCH_STATE is 0 or the user has no
 * home.
 */
export function lastRunFile(): string | undefined {
  const { XDG_STATE_HOME: state, HOME: home = homedir(), HUTCH_STATE: kept } = process.env
  const base = state?.startsWith('/')
    ? state
    : home.startsWith('/') && home !== '/'
      ? `${home}/.local/state`
      : undefined
  return kept === '0' || base === undefined ? undefined : `${base}/hutch/last.json`
}

/**
 * Replaces the stored report of the last failed run. Returns false on failure. Writes only to a directory that this user owns: with sudo,
 * HOME may be another user's.
 */
export function keepLastRun(report: string): boolean {
  const path = lastRunFile()
  if (path === undefined) return false
  const draft = `${path}.${randomBytes(8).toString('hex')}`
  try {
    if (!makeOwned(dirname(path))) return false
    writeFileSync(draft, report, { mode: 0o600, flag: 'wx' })
    renameSync(draft, path)
    return true
  } catch {
    rmSync(draft, { force: true })
    return false
  }
}

/**
 * Creates a directory and its missing ancestors. Returns false if the nearest existing ancestor is a symbolic link or belongs to another
 * user.
 */
function makeOwned(directory: string): boolean {
  const found = lstatSync(directory, { throwIfNoEntry: false })
  if (found) return found.isDirectory() && found.uid === process.geteuid!()
  if (!makeOwned(dirname(directory))) return false
  mkdirSync(directory, { mode: 0o700 })
  return true
}
