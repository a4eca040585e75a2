// SPDX-License-Identifier: Apache-2.0
// Deletes containers: ends what runs, removes the groups and the directory, and runs the last hooks.

import { type ContainerStatus, containerStatus } from '../../container/status.ts'
import { type LockedContainer, lockContainer } from '../../container/store.ts'
import { fail, HutchError } from '../../errors/errors.ts'
import { native } from '../../system/native.ts'
import type { OciCallOf } from '../arguments.ts'
import type { OciContext } from '../context.ts'
import { keepEnd } from '../ends/keep-end.ts'
import { removeGroups, removeUnused, signalGroups, thawGroups } from '../resources/groups.ts'
import { stopUnit } from '../resources/systemd-unit.ts'
import type { OciDetails, OciState } from './details.ts'
import { closeRdtClass } from './intel-rdt.ts'

const sigkill = 9

type HooksLoader = () => Promise<Pick<typeof import('./hooks.ts'), 'runPoststop'>>

/** Milliseconds in which killed processes must end. */
const endTimeout = 10_000

/**
 * Deletes a container. Without `force`, its command must have ended, or not have been started. With `force`, an
 * unknown container is not an error. `loadHooks` loads the module that runs the last hooks: by default when there are
 * some. A caller that has started a process gives the module that it has: events reach only one.
 *
 * @throws CONTAINER_NOT_FOUND, CONTAINER_STATUS, CGROUP_LEFT
 */
export async function deleteContainer(
  id: string,
  force: boolean,
  { root, remark }: OciContext,
  loadHooks: HooksLoader = () => import('./hooks.ts'),
): Promise<void> {
  let container: LockedContainer<OciDetails>
  try {
    container = lockContainer(root, id)
  } catch (error) {
    if (force && HutchError.is(error) && error.code === 'CONTAINER_NOT_FOUND') return
    throw error
  }
  try {
    const { state } = container
    const status = state ? containerStatus(root, state, () => false) : 'stopped'
    if (!force && (status === 'running' || status === 'paused'))
      throw fail('CONTAINER_STATUS', { id, action: 'delete', status })
    if (state) {
      note(root, state, status, remark)
      // a stopped container has processes only in groups that the kernel does not remove at once
      const groups = status === 'stopped' ? removeUnused(state.groups) : state.groups
      stopContainer({ ...state, groups })
      removeGroups(groups)
      closeRdtClass(state.details.rdt)
      if (state.unit !== undefined) await stopUnit(state.unit)
    }
    container.remove()
    if (state?.details.hooks?.poststop?.length) await (await loadHooks()).runPoststop(root, state, remark)
  } finally {
    container.close()
  }
}

/** Keeps why the container ended. The deletion does not depend on that. */
function note(root: string, state: OciState, status: ContainerStatus, remark: OciContext['remark']): void {
  try {
    keepEnd(root, state, status)
  } catch (error) {
    remark(`the end of the container is not kept: ${(error as Error).message}`)
  }
}

/** Ends all processes of a container, and waits for the end of the first. */
export function stopContainer({ groups, process }: OciState): void {
  const addon = native()
  if (process) addon.signalProcess(process.pid, process.started, sigkill)
  signalGroups(groups, sigkill)
  thawGroups(groups)
  if (process) addon.awaitProcess(process.pid, process.started, endTimeout)
}

export async function run({ id, options }: OciCallOf<'delete'>, context: OciContext): Promise<number> {
  await deleteContainer(id, options.force === true, context)
  return 0
}
