// SPDX-License-Identifier: Apache-2.0
// Lets a waiting process become its command, and explains why the kernel refused that.

import { fail, type HutchError } from '../../errors/errors.ts'
import { stepParts } from '../../ops/wire.ts'
import { defaultSearchPath } from '../../plan/environment.ts'
import { execError, explainPlainExec } from '../../run/exec-facts.ts'
import { type Agent, startWaiting } from '../../run/start-waiting.ts'
import type { ProgramReport } from '../../verdict/exec-failure.ts'
import type { OciProcess } from '../config/process-table.ts'

/**
 * Connects to the socket on which a process waits, and returns when it has become its command. `process` describes
 * the command, for an error. `agent` answers system calls of the command, if its filter asks one.
 *
 * @throws CONTAINER_STATUS if nothing waits there, FILE_REFUSED if the command cannot be executed, STEP_REFUSED if its
 * filter cannot be installed
 */
export function startCommand(id: string, socket: string, process: () => OciProcess, agent?: Agent): void {
  const start = startWaiting(socket, agent)
  if (start.kind === 'started') return
  if (start.kind === 'absent') {
    const status = ['ECONNRESET', 'EPIPE'].includes(start.errno) ? 'stopped' : 'running'
    throw fail('CONTAINER_STATUS', { id, action: 'start', status })
  }
  const { errno, part } = start
  if (stepParts[part] === 'filter')
    throw fail('STEP_REFUSED', {
      what: agent
        ? 'install the filter of linux.seccomp, or send its listener to the agent'
        : 'install the filter of linux.seccomp',
      operation: 'seccomp',
      origin: 'linux.seccomp',
      errno,
      remedy: agent
        ? 'check the agent at linux.seccomp.listenerPath; the kernel allows one listener for all filters of a process'
        : 'this kernel may lack a flag of linux.seccomp.flags, or the nested filters are too long together',
    })
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
