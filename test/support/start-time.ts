// SPDX-License-Identifier: Apache-2.0
// Returns when a process started.
import { readFileSync } from 'node:fs'
import { parseStartTime } from '../../src/host/host.ts'

/** When a process started, in ticks; undefined if the process does not exist or is a zombie. */
export function readStartTime(pid: string): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return /\) [ZX] /.test(stat) ? undefined : parseStartTime(stat)
  } catch {
    return undefined
  }
}
