// SPDX-License-Identifier: Apache-2.0
// cgxset: cgset with the names and values of one cgroup version, regardless of the host's.
import { readHost } from '../../host/host.ts'
import { toolMain, valuesOf } from '../tool.ts'
import { runSet, setOptions } from './cgset.ts'
import { hostVersion, versionOf, versionOptions } from './cgxget.ts'
import { isTranslatable, translateName, translateWrite } from './translate.ts'

export const main = toolMain({
  name: 'cgxset',
  usage: ['[-1|-2] [-i] -r FILE=VALUE [-r …] GROUP…', '--copy-from GROUP GROUP…'],
  purpose: 'Sets files of control groups, with the names of cgroup v1 (-1) or v2 (-2).',
  options: { ...setOptions, r: { ...setOptions.r, long: ['variable'] }, ...versionOptions },
  run(parsed) {
    const from = versionOf(parsed)
    if (from === undefined) return runSet('cgxset', parsed)
    const host = readHost()
    const ignore = valuesOf(parsed, 'i').length > 0
    return runSet('cgxset', parsed, {
      choose: (assignments) =>
        assignments.filter(({ file }) => {
          const to = hostVersion(host, file)
          if (ignore) return isTranslatable(file, from, to)
          return translateName(file, from, to) !== ''
        }),
      translate: ({ file, value }, read) =>
        translateWrite(file, value, from, hostVersion(host, file), read).map(([name, text]) => ({
          file: name,
          value: text,
        })),
    })
  },
})
