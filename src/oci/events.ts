// SPDX-License-Identifier: Apache-2.0
// Prints the figures of a container once, or repeatedly with a line for each kill for lack of memory, until the container ends.
import { containerStatus } from '../container/status.ts'
import { readContainer } from '../container/store.ts'
import { fail } from '../errors/errors.ts'
import { print } from '../system/stdout.ts'
import type { OciCallOf } from './arguments.ts'
import type { OciContext } from './context.ts'
import { watchOomKills } from './resources/oom.ts'
import { formatExactJson } from './resources/stat-values.ts'
import { readContainerStats } from './resources/stats.ts'

const defaultIntervalMs = 5000

export async function run({ id, options }: OciCallOf<'events'>, { root }: OciContext): Promise<number> {
  const state = readContainer(root, id)
  const status = containerStatus(root, state)
  if (status === 'stopped') throw fail('CONTAINER_STATUS', { id, action: 'read the events of', status })
  const printStats = () => print(`${formatExactJson({ type: 'stats', id, data: readContainerStats(state.groups) })}\n`)
  if (options.stats) {
    printStats()
    return 0
  }
  await new Promise<void>((resolve) => {
    const stop = watchOomKills(
      state.groups,
      () => print(`${JSON.stringify({ type: 'oom', id })}\n`),
      () => end(),
    )
    const timer = setInterval(() => {
      if (containerStatus(root, state) === 'stopped') end()
      else printStats()
    }, options.interval ?? defaultIntervalMs)
    const end = () => {
      clearInterval(timer)
      stop()
      resolve()
    }
  })
  return 0
}
