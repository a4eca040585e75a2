// SPDX-License-Identifier: Apache-2.0
// The report of a user's newest run that did not end with 0, for `hutch why` without an argument: $XDG_STATE_HOME/hutch/last.json, mode 0600. HUTCH_STATE=0
// turns it off. Nothing is said if it cannot be written: no run depends on it.
import { randomBytes } from 'node:crypto'
import { lstatSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname } from 'node:path'

/** Returns the file's path; undefined if HUTCH_STATE is 0 or the user has no home. */
export function lastRunFile(): string | undefined {
  const { XDG_STATE_HOME: state, HOME: home = homedir(), HUTCH_STATE: kept } = process.env
  const base = state?.startsWith('/')
    ? state
    : home.startsWith('/') && home !== '/'
      ? `${home}/.local/state`
      : undefined
  return kept === '0' || base === undefined ? undefined : `${base}/hutch/last.json`
}

/** Keeps a report in place of the one before. It is written only into a directory that this user owns: by sudo, HOME may be another user's. */
export function keepLastRun(report: string): void {
  const path = lastRunFile()
  if (path === undefined) return
  const draft = `${path}.${randomBytes(8).toString('hex')}`
  try {
    makeOwned(dirname(path))
    writeFileSync(draft, report, { mode: 0o600, flag: 'wx' })
    renameSync(draft, path)
  } catch {
    rmSync(draft, { force: true })
  }
}

/** Makes a directory and those above it. @throws unless it, or the nearest one above it that existed, is this user's own and no link */
function makeOwned(directory: string): void {
  const found = lstatSync(directory, { throwIfNoEntry: false })
  if (!found) {
    makeOwned(dirname(directory))
    mkdirSync(directory, { mode: 0o700 })
  } else if (!found.isDirectory() || found.uid !== process.geteuid!()) throw new Error('another user owns it')
}
