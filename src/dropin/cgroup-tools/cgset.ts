// SPDX-License-Identifier: Apache-2.0
// cgset: writes files of groups, under the names of either version.

import { walkGroups, writeGroupFile } from '../../cgroup/files.ts'
import { type GroupPaths, groupPathsOf, present } from '../../cgroup/group-paths.ts'
import { parseFileName } from '../../cgroup/path.ts'
import { directoryOf, planRaw, readFile } from '../../cgroup/set-file.ts'
import { controllerOf } from '../../cgroup/v1/translate.ts'
import { explainWrite } from '../../cgroup/write-errors.ts'
import { fail } from '../../errors/errors.ts'
import { type Host, readHost } from '../../host/host.ts'
import { orStatus, statuses, withStatus } from '../exit-status.ts'
import type { ParsedOptions } from '../getopt.ts'
import { ignoreDelegated, lastOf, remark, toolMain, valuesOf } from '../tool.ts'
import { copyFiles } from './copy.ts'
import { hierarchyOf, mountedHierarchies } from './group-spec.ts'
import { followInto } from './missing-controllers.ts'

/** A file of a group, and its new value. */
export interface Assignment {
  file: string
  value: string
}

/** Options that cgset and cgxset share. */
export const setOptions = {
  r: { value: 'FILE=VALUE', help: 'what to write; may be repeated' },
  'copy-from': { value: 'GROUP', help: 'copy the values of this group' },
  R: { help: 'also to the groups below' },
  ...ignoreDelegated,
}

export const main = toolMain({
  name: 'cgset',
  usage: ['-r FILE=VALUE [-r …] GROUP…', '--copy-from GROUP GROUP…'],
  purpose: 'Sets files of control groups. v2 names work on v1 hosts, too.',
  options: setOptions,
  run: (parsed) => runSet('cgset', parsed),
})

/** What differs in cgxset: it selects or refuses assignments, and translates each with the current values of the group. */
export interface Translation {
  choose(assignments: Assignment[]): Assignment[]
  translate(assignment: Assignment, read: (file: string) => string): Assignment[]
}

export function runSet(name: string, parsed: ParsedOptions, translation?: Translation): number {
  const texts = valuesOf(parsed, 'r')
  const source = lastOf(parsed, 'copy-from')
  if (texts.length > 0 && source !== undefined)
    throw fail('OPTION_CONFLICT', {
      name: '--copy-from',
      why: '-r is given too',
      remedy: 'give one of them, or use two calls',
    })
  if (texts.length === 0 && source === undefined)
    throw fail('WORDS_MISSING', { usage: `${name} -r FILE=VALUE GROUP, such as -r memory.max=50M demo` })
  if (parsed.words.length === 0) throw fail('WORDS_MISSING', { usage: `${name} … GROUP: name the group at the end` })
  const typed = texts.map((text) => parseAssignment(text))
  const assignments = translation?.choose(typed) ?? typed
  const host = readHost()
  const allPaths = parsed.words.map((word) => groupPathsOf(host, word, 'the group'))
  if (source !== undefined) {
    const from = requireGroup(host, groupPathsOf(host, source, '--copy-from'), statuses.groupMissing)
    for (const paths of allPaths) copyFiles(from, requireGroup(host, paths, statuses.valueMissing))
    return 0
  }
  for (const { file } of assignments) checkController(host, file)
  const recursive = valuesOf(parsed, 'R').length > 0
  for (const paths of allPaths) {
    const there = requireGroup(host, paths, statuses.valueMissing)
    const groups = recursive ? [there, ...descendants(host, there)] : [there]
    const read = (group: GroupPaths) => (file: string) => orStatus(statuses.valueMissing, () => readFile(group, file))
    for (const group of groups)
      for (const one of assignments) {
        // on v1, a descendant may exist in fewer hierarchies than the group itself
        if (group !== there && directoryOf(group, one.file) === undefined) continue
        for (const assignment of translation?.translate(one, read(group)) ?? [one])
          assign(name, host, group, assignment)
      }
  }
  return 0
}

/** Parses NAME=VALUE. @throws OPTION_INVALID, CGROUP_FILE_INVALID */
export function parseAssignment(text: string, origin = '-r'): Assignment {
  const equals = text.indexOf('=')
  const [file, value] = [text.slice(0, equals), text.slice(equals + 1)]
  const wrong =
    equals < 0
      ? 'there is no "=" in it'
      : value === ''
        ? 'the value is missing'
        : /[\0\n]/.test(value)
          ? 'the value contains a line break or NUL'
          : undefined
  if (wrong !== undefined)
    throw fail('OPTION_INVALID', {
      name: origin,
      value: text,
      why: wrong,
      accepted: 'FILE=VALUE, such as memory.max=50M',
    })
  parseFileName(file, origin)
  if (!file.includes('.')) throw fail('CGROUP_FILE_INVALID', { value: file, origin })
  return { file, value }
}

function requireGroup(host: Host, paths: GroupPaths, status: number): GroupPaths {
  const there = present(paths)
  if (there) return there
  const where = host.unified?.mount ?? '/sys/fs/cgroup'
  throw withStatus(status, fail('CGROUP_NOT_FOUND', { group: paths.path, where }))
}

/** Checks that the host has the controller of a file. @throws CGROUP_CONTROLLER_MISSING */
export function checkController(host: Host, file: string): void {
  const controller = controllerOf(file)
  const all = mountedHierarchies(host)
  if (controller === 'cgroup' || hierarchyOf(all, controller) || (controller === 'io' && host.v1.blkio)) return
  throw withStatus(
    statuses.controllerUnmounted,
    fail('CGROUP_CONTROLLER_MISSING', {
      controller,
      origin: file,
      where: 'any hierarchy',
      available: all.flatMap((one) => one.controllers).join(', '),
    }),
  )
}

function descendants(host: Host, paths: GroupPaths): GroupPaths[] {
  const below = new Set<string>()
  for (const directory of Object.values(paths.directories))
    for (const found of walkGroups(directory).slice(1)) below.add(`${paths.path}${found.slice(directory.length)}`)
  return [...below].sort().flatMap((path) => present(groupPathsOf(host, path)) ?? [])
}

function assign(name: string, host: Host, paths: GroupPaths, { file, value }: Assignment): void {
  const made = followInto(host, paths, file)
  if (made.note !== undefined) remark(name, made.note)
  for (const write of orStatus(statuses.valueMissing, () => planRaw(made.paths, file, value))) {
    const errno = writeGroupFile(write.directory, write.file, write.value)
    if (errno === undefined) continue
    throw withStatus(errno === 'ENOENT' ? statuses.valueMissing : statuses.refused, explainWrite({ ...write, errno }))
  }
}
