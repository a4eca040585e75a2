// SPDX-License-Identifier: Apache-2.0
// Which file is meant when none is named.
import { homedir } from 'node:os'

/** Where a recording is when no file is named. */
export function defaultFile(): string {
  if (process.getuid?.() === 0) return '/var/lib/hutch/history.db'
  return `${process.env.XDG_STATE_HOME || `${homedir()}/.local/state`}/hutch/history.db`
}
