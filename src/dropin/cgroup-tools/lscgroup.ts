// SPDX-License-Identifier: Apache-2.0
// lscgroup: lists groups as controllers:path, on v1 and v2.

import { isGroup, readEntries } from '../../cgroup/files.ts'
import { readHost } from '../../host/host.ts'
import { print } from '../../system/stdout.ts'
import { escapeUnsafe } from '../../text/quote.ts'
import { statuses } from '../exit-status.ts'
import type { ParsedOptions } from '../getopt.ts'
import { ignoreDelegated, toolMain, valuesOf } from '../tool.ts'
import { choose, directoryIn, type Mounted, mountedHierarchies, parseGroupSpec } from './group-spec.ts'

export const main = toolMain({
  name: 'lscgroup',
  usage: ['[[-g] CONTROLLERS:PATH …]'],
  purpose: 'Lists control groups: all, or the named ones and those below them.',
  options: { g: { value: 'CONTROLLERS:PATH', help: 'the group to begin at; -g may be left out' }, ...ignoreDelegated },
  run(parsed: ParsedOptions) {
    const all = mountedHierarchies(readHost())
    const specs = [...valuesOf(parsed, 'g'), ...parsed.words].map((text) =>
      parseGroupSpec(text, 'the group', statuses.failed),
    )
    if (specs.length === 0) {
      print(
        all
          .filter((one) => one.controllers.length > 0)
          .flatMap((one) => list(one, '', '/'))
          .join(''),
      )
      return 0
    }
    const lines = specs.flatMap(({ controllers, path }) => {
      const [first] = choose(all, controllers, statuses.operationFailed)
      const hierarchy = all.find((one) => one.mount === first?.mount) ?? first
      // as in libcgroup, a slash follows the path of the named group
      return hierarchy ? list(hierarchy, path, path === '' ? '/' : `/${path}/`) : []
    })
    print(lines.join(''))
    return 0
  },
})

function list(hierarchy: Mounted, path: string, shown: string): string[] {
  const directory = directoryIn(hierarchy, path)
  if (!isGroup(directory)) return []
  const below = readEntries(directory).groups.flatMap((name) => {
    const child = path === '' ? name : `${path}/${name}`
    return list(hierarchy, child, `/${child}`)
  })
  return [`${hierarchy.controllers.join(',')}:${escapeUnsafe(shown)}\n`, ...below]
}
