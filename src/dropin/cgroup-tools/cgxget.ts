// SPDX-License-Identifier: Apache-2.0
// cgxget: cgget with the names and values of one cgroup version, regardless of the host's.
import type { CgroupVersion } from '../../cgroup/controllers/catalog.ts'
import { readEntries } from '../../cgroup/files.ts'
import { parseGroupPath } from '../../cgroup/path.ts'
import { controllerOf } from '../../cgroup/v1/translate.ts'
import { type Host, readHost } from '../../host/host.ts'
import { print } from '../../system/stdout.ts'
import type { ParsedOptions } from '../getopt.ts'
import { toolMain, valuesOf } from '../tool.ts'
import { formatGroups, type GroupQuery, getOptions, type Printed, readGroupFiles, readWanted } from './cgget.ts'
import { directoryIn, hierarchyOf, mountedHierarchies } from './group-spec.ts'
import { isTranslatable, readTranslated, translateName } from './translate.ts'

/** Options that cgxget and cgxset share. */
export const versionOptions = {
  1: { long: ['v1'], help: 'use the names and values of cgroup v1' },
  2: { long: ['v2'], help: 'use the names and values of cgroup v2' },
  i: { long: ['ignore-unmappable'], help: 'skip files that the other version has no equivalent for' },
}

export const main = toolMain({
  name: 'cgxget',
  usage: ['[-1|-2] [-inv] [-r FILE] [-g CONTROLLERS] [-a] GROUP…', '[-1|-2] [-inv] -g CONTROLLERS:PATH …'],
  purpose: 'Prints files of control groups, with the names of cgroup v1 (-1) or v2 (-2).',
  options: { ...getOptions, ...versionOptions },
  run(parsed) {
    const host = readHost()
    const from = versionOf(parsed)
    const wanted = readWanted('cgxget', host, parsed)
    const ignore = valuesOf(parsed, 'i').length > 0
    print(
      formatGroups(
        wanted.map((one) => (from === undefined ? readGroupFiles(host, one) : readAs(host, one, from, ignore))),
        parsed,
      ),
    )
    return 0
  },
})

/** Returns the cgroup version that the last of the options -1 and -2 names, as in libcgroup. */
export function versionOf(parsed: ParsedOptions): CgroupVersion | undefined {
  const last = parsed.options.map(([key]) => key).findLast((key) => key === '1' || key === '2')
  return last === undefined ? undefined : last === '1' ? 'v1' : 'v2'
}

/** Returns the cgroup version under which this host has the controller of a file. */
export function hostVersion(host: Host, file: string): CgroupVersion {
  const controller = controllerOf(file)
  const found = hierarchyOf(mountedHierarchies(host), controller === 'blkio' ? 'io' : controller)
  return found?.unified ? 'v2' : 'v1'
}

function readAs(host: Host, wanted: GroupQuery, from: CgroupVersion, ignore: boolean): Printed {
  const names = wanted.files.flatMap(({ controller, names }) =>
    names === 'all' ? namesIn(host, wanted.typed, controller, from, ignore) : names,
  )
  const values = names.flatMap((file): [string, string][] => {
    const to = hostVersion(host, file)
    if (ignore && !isTranslatable(file, from, to)) return []
    return [[file, readTranslated(file, from, to, (name) => readOne(host, wanted.typed, name))]]
  })
  return { typed: wanted.typed, values }
}

function readOne(host: Host, typed: string, file: string): string {
  return readGroupFiles(host, { typed, files: [{ controller: controllerOf(file), names: [file] }] }).values[0]![1]
}

/** Returns the files of a controller, under the names that they have in the other cgroup version. */
function namesIn(host: Host, typed: string, controller: string, from: CgroupVersion, ignore: boolean): string[] {
  const hierarchy = hierarchyOf(mountedHierarchies(host), controller)
  if (!hierarchy) return []
  const to: CgroupVersion = hierarchy.unified ? 'v2' : 'v1'
  const files = readEntries(directoryIn(hierarchy, parseGroupPath(typed, 'the group'))).files.filter((file) =>
    file.startsWith(`${controller}.`),
  )
  return files.filter((file) => !ignore || isTranslatable(file, to, from)).map((file) => translateName(file, to, from))
}
