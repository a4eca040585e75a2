// SPDX-License-Identifier: Apache-2.0
// Starts the command of a created container.

import { type ContainerStatus, containerStatus, startFile } from '../../container/status.ts'
import { type LockedContainer, withContainer } from '../../container/store.ts'
import { fail } from '../../errors/errors.ts'
import { rmSync } from '../../system/files.ts'
import { closeDescriptor } from '../../system/native.ts'
import type { OciCallOf } from '../arguments.ts'
import type { OciContext } from '../context.ts'
import { connectAgent, requireAgent } from './agent.ts'
import { type OciDetails, readStoredConfig } from './details.ts'
import { runHooks } from './hooks.ts'
import { startCommand } from './start-command.ts'

export async function run({ id }: OciCallOf<'start'>, { root }: OciContext): Promise<number> {
  await withContainer<OciDetails, void>(root, id, (container) => startLocked(root, container))
  return 0
}

/**
 * Lets the first process of a container become its command. Hooks of startContainer run before, those of poststart
 * after. If one of them fails, the container is stopped.
 *
 * @throws CONTAINER_STATUS, HOOK_FAILED, FILE_REFUSED
 */
export async function startLocked(root: string, container: LockedContainer<OciDetails>): Promise<void> {
  const { state, directory, id } = container
  const status: ContainerStatus = state ? containerStatus(root, state, () => false) : 'stopped'
  if (!state || status !== 'created') throw fail('CONTAINER_STATUS', { id, action: 'start', status })
  const { agent: place, hooks = {} } = state.details
  const { startContainer = [], poststart = [] } = hooks
  const config = () => readStoredConfig(directory)
  const hooked = { root, directory, state, config }
  const connect = () => place && connectAgent(place, state, 'created', state.process!.pid)
  // without an agent, the container stays as it is
  requireAgent(place)
  // hooks have connections of their own, before that of the command
  let agent = startContainer.length === 0 ? connect() : undefined
  try {
    if (startContainer.length > 0) await runHooks('startContainer', startContainer, hooked)
    agent ??= connect()
    startCommand(id, `${directory}/${startFile}`, () => config().process!, agent)
    rmSync(`${directory}/${startFile}`, { force: true })
    if (poststart.length > 0) await runHooks('poststart', poststart, hooked)
  } catch (error) {
    const { stopContainer } = await import('./delete.ts')
    stopContainer(state)
    throw error
  } finally {
    if (agent) closeDescriptor(agent.socket)
  }
}
