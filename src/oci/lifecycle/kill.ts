// SPDX-License-Identifier: Apache-2.0
// Sends signals to containers.

import { type ContainerStatus, containerStatus } from '../../container/status.ts'
import { readContainer } from '../../container/store.ts'
import { fail, type HutchError } from '../../errors/errors.ts'
import { errnoName, native } from '../../system/native.ts'
import type { OciCallOf } from '../arguments.ts'
import type { OciContext } from '../context.ts'
import { noteSignal } from '../ends/life-events.ts'
import { signalGroups, thawGroups } from '../resources/groups.ts'
import type { OciState } from './details.ts'

const sigkill = 9

/**
 * Sends a signal to the first process of a container, or to all of its processes. SIGKILL reaches all if the first
 * process has no pid namespace that would end with it.
 *
 * @throws CONTAINER_NOT_FOUND, CONTAINER_STATUS, STEP_REFUSED
 */
function killContainer(root: string, id: string, signal: number, all: boolean): void {
  const state: OciState = readContainer(root, id)
  const { process, groups, details } = state
  // without groups, which a user without rights in all hierarchies has, only the first process is known
  const everyone = groups.length > 0 && (all || (signal === sigkill && !details.ownsPids))
  const status = containerStatus(root, state)
  // containerd kills the rest of an ended container: that ended nothing
  const noted = () => signal > 0 && status !== 'stopped' && noteSignal(`${root}/${id}`, signal)
  if (everyone) {
    noted()
    signalGroups(groups, signal)
  } else {
    if (status === 'stopped' || !process) throw notRunning(id, status)
    noted()
    const sent = native().signalProcess(process.pid, process.started, signal)
    if (sent < 0 && errnoName(sent) === 'ESRCH') throw notRunning(id, 'stopped')
    if (sent < 0)
      throw fail('STEP_REFUSED', {
        what: 'signal the container',
        operation: 'pidfd_send_signal',
        origin: 'kill',
        errno: errnoName(sent),
        remedy: 'run as the user that created the container, or as root',
      })
  }
  // a frozen process of v1 does not end before it runs again
  if (signal === sigkill && status === 'paused') thawGroups(groups)
}

function notRunning(id: string, status: ContainerStatus): HutchError {
  return fail('CONTAINER_STATUS', { id, action: 'kill', status })
}

export function run({ id, options, signal }: OciCallOf<'kill'>, { root }: OciContext): number {
  killContainer(root, id, signal, options.all === true)
  return 0
}
