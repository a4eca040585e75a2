// SPDX-License-Identifier: Apache-2.0
// cgdelete: removes groups. Their processes move to the parent group.
import { isGroup, readChildren, readWords, removeDirectory, walkGroups, writeGroupFile } from '../../cgroup/files.ts'
import { explainRemove } from '../../cgroup/write-errors.ts'
import { fail } from '../../errors/errors.ts'
import { type Host, readHost } from '../../host/host.ts'
import { pauseSync } from '../../system/clock.ts'
import { statuses, withStatus } from '../exit-status.ts'
import type { ParsedOptions } from '../getopt.ts'
import { complain, ignoreDelegated, toolMain, valuesOf } from '../tool.ts'
import { choose, directoryIn, type GroupSpec, mountedHierarchies, parseGroupSpec } from './group-spec.ts'
import { followers } from './missing-controllers.ts'

const name = 'cgdelete'

export const main = toolMain({
  name,
  usage: ['[-r] [-g] CONTROLLERS:PATH …'],
  purpose: 'Removes control groups. Processes in them go to the group above.',
  options: {
    g: { value: 'CONTROLLERS:PATH', help: 'the group; -g may be left out' },
    r: { long: ['recursive'], help: 'the groups below it, too' },
    ...ignoreDelegated,
  },
  async run(parsed: ParsedOptions) {
    const specs = [...valuesOf(parsed, 'g'), ...parsed.words].map((text) => parseGroupSpec(text, 'the group'))
    if (specs.length === 0) throw fail('WORDS_MISSING', { usage: 'cgdelete CONTROLLERS:PATH, such as memory:demo' })
    const host = readHost()
    const work = specs.map((spec) => ({
      spec,
      hierarchies: choose(mountedHierarchies(host), spec.controllers, statuses.operationFailed),
    }))
    // try every group, as clean-up scripts expect; the last failure determines the exit status
    let status = 0
    const gone = new Set<string>()
    for (const { spec, hierarchies } of work) {
      try {
        remove(host, spec, hierarchies, valuesOf(parsed, 'r').length > 0, gone)
      } catch (error) {
        status = await complain(name, error)
      }
    }
    return status
  },
})

function remove(
  host: Host,
  { path, typed }: GroupSpec,
  hierarchies: ReturnType<typeof choose>,
  recursive: boolean,
  gone: Set<string>,
): void {
  if (path === '') {
    if (!recursive) return
    throw withStatus(
      statuses.refused,
      fail('CGROUP_PATH_INVALID', { value: typed, why: 'everything on this host is below it', origin: name }),
    )
  }
  const named = hierarchies.map((hierarchy) => directoryIn(hierarchy, path))
  const following = followers(
    host,
    path,
    hierarchies.map((hierarchy) => hierarchy.mount),
  )
  const missing = named.find((directory) => !isGroup(directory) && !gone.has(directory))
  // check all groups first, so that a refused removal changes nothing
  for (const directory of [...named, ...following])
    if (!recursive && readChildren(directory).length > 0)
      throw withStatus(statuses.refused, explainRemove(directory, 'EBUSY'))
  for (const directory of [...named, ...following].filter(isGroup)) {
    const parent = directory.slice(0, directory.lastIndexOf('/'))
    for (const group of walkGroups(directory).reverse()) removeOne(group, parent)
    gone.add(directory)
  }
  if (missing !== undefined)
    throw withStatus(
      statuses.refused,
      fail('CGROUP_NOT_FOUND', { group: path, where: missing.slice(0, -path.length - 1) }),
    )
}

/** Removes one group. If the group is busy, waits briefly: an ending process keeps its group busy for a moment. */
function removeOne(group: string, parent: string): void {
  for (let tries = 0; ; tries++) {
    for (const pid of readWords(group, 'cgroup.procs')) writeGroupFile(parent, 'cgroup.procs', pid)
    const errno = removeDirectory(group)
    if (errno === undefined || errno === 'ENOENT') return
    if (errno !== 'EBUSY' || tries === 50) throw withStatus(statuses.refused, explainRemove(group, errno))
    pauseSync(2)
  }
}
