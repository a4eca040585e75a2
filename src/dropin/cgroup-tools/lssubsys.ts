// SPDX-License-Identifier: Apache-2.0
// lssubsys: lists controllers on v1 and v2; those of one hierarchy share a line.

import { fail } from '../../errors/errors.ts'
import { readHost } from '../../host/host.ts'
import { type KernelController, readKernelControllers } from '../../host/kernel-controllers.ts'
import { print } from '../../system/stdout.ts'
import { statuses, withStatus } from '../exit-status.ts'
import type { ParsedOptions } from '../getopt.ts'
import { toolMain, valuesOf } from '../tool.ts'
import { type Mounted, mountedHierarchies } from './group-spec.ts'

export const main = toolMain({
  name: 'lssubsys',
  usage: ['[-imM] [CONTROLLER…]', '-a [-imM]'],
  purpose: 'Lists controllers: the mounted ones, or those that are named.',
  options: {
    a: { long: ['all'], help: 'also list controllers that are not mounted' },
    i: { long: ['hierarchies'], help: 'also print the number of the hierarchy; v2 has 0' },
    m: { long: ['mount-points'], help: 'with the directory where it is mounted' },
    M: { long: ['all-mount-points'], help: 'with all directories where it is mounted' },
  },
  run,
})

function run(parsed: ParsedOptions): number {
  const letters = parsed.options.map(([key]) => key)
  const everything = letters.includes('a')
  const kernel = readKernelControllers()
  const mounted = mountedHierarchies(readHost()).filter((one) => one.controllers.length > 0)
  const names = everything ? [] : parsed.words.flatMap((word) => word.split(','))
  const missing = names.find((name) => !mounted.some((one) => one.controllers.includes(name)))
  const shown =
    names.length === 0 ? mounted : mounted.filter((one) => one.controllers.some((name) => names.includes(name)))
  const lines = shown.map((one) =>
    formatLine(one, kernel, valuesOf(parsed, 'i').length > 0, letters.includes('m') || letters.includes('M')),
  )
  if (everything) {
    const known = new Set(mounted.flatMap((one) => one.controllers))
    // the controller io of v2 is called blkio on v1
    lines.push(
      ...kernel.map(({ name }) => name).filter((name) => !known.has(name) && !(name === 'blkio' && known.has('io'))),
    )
  }
  print(lines.map((line) => `${line}\n`).join(''))
  if (missing === undefined) return 0
  throw withStatus(
    statuses.groupMissing,
    fail('CGROUP_CONTROLLER_MISSING', {
      controller: missing,
      origin: `the controller ${missing}`,
      where: 'any hierarchy',
      available: mounted.flatMap((one) => one.controllers).join(', '),
    }),
  )
}

function formatLine(
  { controllers, mount, unified }: Mounted,
  kernel: readonly KernelController[],
  withNumber: boolean,
  withMount: boolean,
): string {
  const number = unified ? 0 : kernel.find(({ name }) => controllers.includes(name))?.hierarchy
  return [controllers.join(','), ...(withNumber ? [String(number ?? 0)] : []), ...(withMount ? [mount] : [])].join(' ')
}
