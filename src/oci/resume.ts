// SPDX-License-Identifier: Apache-2.0
// Continues all processes of a paused container.
import { containerStatus } from '../container/status.ts'
import { readContainer } from '../container/store.ts'
import { fail } from '../errors/errors.ts'
import type { OciCallOf } from './arguments.ts'
import type { OciContext } from './context.ts'
import { thawGroups } from './resources/groups.ts'

export function run({ id }: OciCallOf<'resume'>, { root }: OciContext): number {
  const state = readContainer(root, id)
  const status = containerStatus(root, state)
  if (status !== 'paused') throw fail('CONTAINER_STATUS', { id, action: 'resume', status })
  thawGroups(state.groups)
  return 0
}
