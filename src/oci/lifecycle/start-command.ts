// SPDX-License-Identifier: Apache-2.0
// Lets a waiting process become its command, and explains why the kernel refused that.

import { fail, type HutchError } from '../../errors/errors.ts'
import { defaultSearchPath } from '../../plan/environment.ts'
import { execError, explainPlainExec } from '../../run/exec-facts.ts'
import { startWaiting } from '../../run/start-waiting.ts'
import type { ProgramReport } from '../../verdict/exec-failure.ts'
import type { OciProcess } from '../config/process-table.ts'

/**
 * Connects to the socket on which a process waits, and returns when it has become its command. `process` describes
 * the command, for an error.
 *
 * @throws CONTAINER_STATUS if nothing waits there, FILE_REFUSED if the command cannot be executed
 */
export function startCommand(id: string, socket: string, process: () => OciProcess): void {
  const start = startWaiting(socket)
  if (start.kind === 'started') return
  if (start.kind === 'absent') {
    const status = ['ECONNRESET', 'EPIPE'].includes(start.errno) ? 'stopped' : 'running'
    throw fail('CONTAINER_STATUS', { id, action: 'start', status })
  }
  const { args, env = [] } = process()
  const searchPath = env.findLast((entry) => entry.startsWith('PATH='))?.slice(5) ?? defaultSearchPath
  throw refusedCommand(args[0]!, searchPath, start.errno, start.looks)
}

/** Returns the error for a command that cannot be executed. */
export function refusedCommand(
  command: string,
  searchPath: string,
  errno: string,
  looks: readonly ProgramReport[] = [],
): HutchError {
  const facts = { command, errno, looks, searchPath, frontend: 'tool', ownRoot: true, filtered: false } as const
  return execError(explainPlainExec(facts), command, errno)
}
