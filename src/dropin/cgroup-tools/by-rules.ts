// SPDX-License-Identifier: Apache-2.0
// Moves a process by /etc/cgrules.conf if cgexec or cgclassify is called without a group. Also tells the rules daemon which processes to
// ignore.

import { fail, type HutchError } from '../../errors/errors.ts'
import { readIds } from '../../host/passwd.ts'
import { loadRules } from '../../rules/load.ts'
import { placeProcess } from '../../rules/move.ts'
import { readWatchedProcess } from '../../rules/process.ts'
import { defaultSocket, formatRequest, type StickyRequest } from '../../rules/sticky.ts'
import { existsSync } from '../../system/files.ts'
import { connect } from '../../system/sockets.ts'

/** Milliseconds to wait for the answer of the daemon (hutch rules watch, or cgrulesengd). */
const patienceMs = 1000

/**
 * Moves a process to the destination of the first rule that matches it. Does nothing if no rule matches. @throws FILE_REFUSED,
 * RULES_INVALID, CGROUP_REFUSED
 */
export function placeByRules(pid: number, program?: string): void {
  const rules = loadRules()
  const process = readWatchedProcess(pid)
  if (!process)
    throw fail('OPTION_INVALID', {
      name: 'a process',
      value: String(pid),
      why: 'no process with this id can be moved',
      accepted: 'the id of a running process',
    })
  const placed = placeProcess(rules, program === undefined ? process : { ...process, program }, readIds())
  const failed: HutchError | undefined = placed?.failed[0]
  if (failed) throw failed
}

/** Asks the running daemon (hutch rules watch, or cgrulesengd) not to move a process. Does nothing if no daemon is running. */
export async function reportSticky(request: StickyRequest): Promise<void> {
  if (!existsSync(defaultSocket)) return
  await new Promise<void>((resolve) => {
    const socket = connect(defaultSocket)
    socket.setTimeout(patienceMs, () => socket.destroy())
    socket.on('connect', () => socket.write(formatRequest(request)))
    socket.on('data', () => socket.destroy())
    socket.on('error', () => socket.destroy())
    socket.on('close', () => resolve())
  })
}
