// SPDX-License-Identifier: Apache-2.0
// Creates and starts a container, waits for its end, and deletes it.

import { native } from '../../system/native.ts'
import type { OciCallOf } from '../arguments.ts'
import type { OciContext } from '../context.ts'
import { noteWaitStatus } from '../ends/life-events.ts'
import { createFromBundle } from './create.ts'
import { deleteContainer } from './delete.ts'
import { runPoststop } from './hooks.ts'
import { statusOfEnd } from './launch-contained.ts'
import { startLocked } from './start.ts'

const loadHooks = async () => ({ runPoststop })

/**
 * Runs a container, and returns the exit status of its command; 0 with --detach as soon as it runs.
 *
 * @throws the errors of create and start
 */
export async function run({ id, options }: OciCallOf<'run'>, context: OciContext): Promise<number> {
  const { root } = context
  const attached = !options.detach
  if (attached) native().holdSignals()
  const { container, waiting, follow } = await createFromBundle(id, options, context, attached)
  try {
    try {
      await startLocked(root, container)
    } finally {
      container.close()
    }
    if (!attached) return 0
    native().forward(waiting.job)
    follow()
    const end = await waiting.end
    noteWaitStatus(container.directory, end)
    if (!options.keep) await deleteContainer(id, true, context, loadHooks)
    return statusOfEnd(end)
  } catch (error) {
    await deleteContainer(id, true, context, loadHooks)
    throw error
  }
}
