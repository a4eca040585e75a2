// SPDX-License-Identifier: Apache-2.0
// Lets a waiting process become its command, and explains why the kernel refused that.

import { fail } from '../../errors/errors.ts'
import { defaultSearchPath } from '../../plan/environment.ts'
import { execError, explainPlainExec } from '../../run/exec-facts.ts'
import { startWaiting } from '../../run/start-waiting.ts'
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
  const { errno, looks } = start
  const { args, env = [] } = process()
  const searchPath = env.findLast((entry) => entry.startsWith('PATH='))?.slice(5) ?? defaultSearchPath
  const facts = {
    command: args[0]!,
    errno,
    looks,
    searchPath,
    frontend: 'tool',
    ownRoot: true,
    filtered: false,
  } as const
  throw execError(explainPlainExec(facts), args[0]!, errno)
}
