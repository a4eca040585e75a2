// SPDX-License-Identifier: Apache-2.0
// The agent of linux.seccomp.listenerPath: a process outside that answers system calls of a container. It gets the
// listener of the container's filter when a process of the container is started.

import { fail } from '../../errors/errors.ts'
import type { Agent } from '../../run/start-waiting.ts'
import { statSync } from '../../system/files.ts'
import type { OciLinux } from '../config/linux-table.ts'
import { hasAgent } from '../config/seccomp.ts'
import { connectTo } from './console.ts'
import { describeState, type OciState } from './details.ts'

/** The socket of an agent, and what the creator of the container tells it. */
export interface AgentPlace {
  path: string
  metadata?: string
}

/** Returns where the agent of a filter listens; undefined if the filter asks no agent. */
export function agentOf(seccomp: OciLinux['seccomp']): AgentPlace | undefined {
  if (!hasAgent(seccomp)) return undefined
  const { listenerPath: path = '', listenerMetadata: metadata } = seccomp
  return { path, ...(metadata !== undefined && { metadata }) }
}

/** Checks that a socket exists, so that a creation fails rather than each start. @throws FILE_REFUSED */
export function requireAgent(agent: AgentPlace | undefined): void {
  if (!agent) return
  const found = statSync(agent.path, { throwIfNoEntry: false })
  if (found?.isSocket()) return
  throw fail('FILE_REFUSED', {
    what: 'connect to the agent of linux.seccomp.listenerPath at',
    path: agent.path,
    errno: found ? 'ENOTSOCK' : 'ENOENT',
    remedy: 'start the agent first',
  })
}

/**
 * Connects to an agent, and makes the message that it gets with the listener. `pid` is the process that gets the
 * filter. The caller closes the socket.
 *
 * @throws FILE_REFUSED
 */
export function connectAgent(
  { path, metadata = '' }: AgentPlace,
  state: OciState,
  status: 'created' | 'running',
  pid: number,
): Agent {
  const { ociVersion } = state.details
  const text = JSON.stringify({ ociVersion, fds: ['seccompFd'], pid, metadata, state: describeState(state, status) })
  return { socket: connectTo(path), text }
}
