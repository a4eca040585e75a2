// SPDX-License-Identifier: Apache-2.0
// Freezes all processes of a container.
import { containerStatus } from '../container/status.ts'
import { readContainer } from '../container/store.ts'
import { fail } from '../errors/errors.ts'
import type { OciCallOf } from './arguments.ts'
import type { OciContext } from './context.ts'
import { freezeGroups } from './resources/groups.ts'

export function run({ id }: OciCallOf<'pause'>, { root }: OciContext): number {
  const state = readContainer(root, id)
  const status = containerStatus(root, state)
  if (status !== 'running' && status !== 'created') throw fail('CONTAINER_STATUS', { id, action: 'pause', status })
  freezeGroups(state.groups)
  return 0
}
