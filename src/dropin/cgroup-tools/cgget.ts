// SPDX-License-Identifier: Apache-2.0
// cgget: prints files of groups. It reads everything before it prints, so that a failure prints nothing.

import { describeFile } from '../../cgroup/controllers/catalog.ts'
import { isGroup, readEntries, readRaw } from '../../cgroup/files.ts'
import { groupPathsOf, present } from '../../cgroup/group-paths.ts'
import { parseFileName, parseGroupPath } from '../../cgroup/path.ts'
import { readRawFile } from '../../cgroup/set-file.ts'
import { controllerOf } from '../../cgroup/v1/translate.ts'
import { explainRead } from '../../cgroup/write-errors.ts'
import { fail } from '../../errors/errors.ts'
import { type Host, readHost } from '../../host/host.ts'
import { print } from '../../system/stdout.ts'
import { orStatus, statuses, withStatus } from '../exit-status.ts'
import type { ParsedOptions } from '../getopt.ts'
import { ignoreDelegated, toolMain, valuesOf } from '../tool.ts'
import {
  directoryIn,
  hierarchyOf,
  type Mounted,
  mountedHierarchies,
  parseControllers,
  parseGroupSpec,
} from './group-spec.ts'

/** A group to print: its path as typed, and for each controller the requested files, or all files. */
export interface GroupQuery {
  typed: string
  files: { controller: string; names: string[] | 'all' }[]
}

/** What is printed for one group. */
export interface Printed {
  typed: string
  values: [file: string, text: string][]
}

/** Options that cgget and cgxget share. */
export const getOptions = {
  r: { long: ['variable'], value: 'FILE', help: 'this file; may be repeated' },
  g: { value: 'CONTROLLERS[:PATH]', help: 'all files of these controllers; can be repeated' },
  a: { long: ['all'], help: 'all files of all controllers' },
  n: { help: 'no lines with the names of groups' },
  v: { long: ['values-only'], help: 'no names of files' },
  ...ignoreDelegated,
}

export const main = toolMain({
  name: 'cgget',
  usage: ['[-nv] [-r FILE] [-g CONTROLLERS] [-a] GROUP…', '[-nv] -g CONTROLLERS:PATH …', '-m', '-c'],
  purpose: 'Prints files of control groups. v2 names work on v1 hosts, too.',
  options: {
    ...getOptions,
    m: { help: 'the layout: legacy (v1), hybrid or unified (v2)' },
    c: { help: 'the controllers, each with its version' },
  },
  run(parsed) {
    const letters = parsed.options.map(([key]) => key)
    if (letters.includes('m')) print(`${layouts[readHost().layout]}\n`)
    if (letters.includes('c')) print(formatVersions(mountedHierarchies(readHost())))
    if (letters.every((key) => key === 'm' || key === 'c') && letters.length > 0 && parsed.words.length === 0) return 0
    const host = readHost()
    print(
      formatGroups(
        readWanted('cgget', host, parsed).map((wanted) => readGroupFiles(host, wanted)),
        parsed,
      ),
    )
    return 0
  },
})

const layouts = {
  v1: 'Legacy Mode (Cgroup v1 only).',
  hybrid: 'Hybrid mode (Cgroup v1/v2).',
  v2: 'Unified Mode (Cgroup v2 only).',
  none: 'Unknown Mode (no cgroup is mounted).',
}

function formatVersions(all: readonly Mounted[]): string {
  const rows = all.flatMap(({ controllers, unified }) => controllers.map((name) => [name, unified ? '2' : '1']))
  return [['#Controller', 'Version'], ...rows].map(([name, version]) => `${name!.padEnd(11)}\t${version}\n`).join('')
}

/** Parses the command line into the groups and files to print. @throws OPTION_INVALID, WORDS_MISSING, CGROUP_* */
export function readWanted(name: string, host: Host, parsed: ParsedOptions): GroupQuery[] {
  const all = mountedHierarchies(host)
  const specs = valuesOf(parsed, 'g')
  const here = specs.filter((text) => /:./.test(text)).map((text) => parseGroupSpec(text, '-g'))
  const bare = specs.filter((text) => !/:./.test(text))
  const files = valuesOf(parsed, 'r')
  const everything = valuesOf(parsed, 'a').length > 0
  const alone = here.length > 0 && (parsed.words.length > 0 || files.length > 0)
  if (alone)
    throw fail('OPTION_CONFLICT', {
      name: '-g CONTROLLERS:PATH',
      why: 'it already names the group and all its files',
      remedy: `give the group at the end: ${name} -g CONTROLLERS -r FILE GROUP`,
    })
  if (here.length === 0 && parsed.words.length === 0 && !everything)
    throw fail('WORDS_MISSING', {
      usage: `${name} … GROUP: name the group at the end, such as ${name} -r memory.max demo`,
    })
  const wanted = new Map<string, GroupQuery>()
  const add = (typed: string, controller: string, names: string[] | 'all') => {
    const group = wanted.get(typed) ?? { typed, files: [] }
    wanted.set(typed, group)
    const known = group.files.find((one) => one.controller === controller)
    if (!known) group.files.push({ controller, names })
    else if (known.names !== 'all' && names !== 'all') known.names.push(...names)
    else known.names = 'all'
  }
  for (const { typed, controllers } of here)
    for (const controller of controllers) add(typed, known(all, controller), 'all')
  const variables = files.map((file) => parseVariable(file))
  const twice = files.find((file, i) => files.indexOf(file) < i)
  if (twice !== undefined)
    throw withStatus(
      statuses.givenTwice,
      fail('OPTION_INVALID', { name: '-r', value: twice, why: 'given twice', accepted: 'each file once' }),
    )
  // print in the order of the command line, so that the first group that fails is the one named
  for (const typed of here.length > 0 ? [] : parsed.words.length > 0 ? parsed.words : ['']) {
    parseGroupPath(typed, 'the group')
    for (const file of variables) add(typed, knownFor(host, all, file), [file])
    for (const text of bare)
      for (const controller of parseControllers(text.replace(':', ''), '-g')) add(typed, known(all, controller), 'all')
    if (everything || (variables.length === 0 && bare.length === 0))
      for (const controller of all.flatMap((one) => one.controllers)) add(typed, controller, 'all')
  }
  return [...wanted.values()]
}

function parseVariable(file: string): string {
  return orStatus(statuses.invalid, () => {
    if (!file.includes('.')) throw fail('CGROUP_FILE_INVALID', { value: file, origin: '-r' })
    return parseFileName(file, '-r')
  })
}

function known(all: readonly Mounted[], controller: string): string {
  if (controller === 'cgroup' || hierarchyOf(all, controller)) return controller
  throw withStatus(
    statuses.refused,
    fail('CGROUP_CONTROLLER_MISSING', {
      controller,
      origin: `the controller ${controller}`,
      where: 'any hierarchy',
      available: all.flatMap((one) => one.controllers).join(', '),
    }),
  )
}

/** Returns the controller of a file, if the host has it. On v1, files of io belong to blkio. */
function knownFor(host: Host, all: readonly Mounted[], file: string): string {
  const controller = controllerOf(file)
  return controller === 'io' && host.v1.blkio ? controller : known(all, controller)
}

/** Reads the requested files of one group. @throws CGROUP_NOT_FOUND, CGROUP_FILE_MISSING, CGROUP_REFUSED */
export function readGroupFiles(host: Host, { typed, files }: GroupQuery): Printed {
  const all = mountedHierarchies(host)
  const paths = groupPathsOf(host, typed)
  const there = present(paths)
  if (!there)
    throw withStatus(
      statuses.refused,
      fail('CGROUP_NOT_FOUND', { group: paths.path, where: host.unified?.mount ?? '/sys/fs/cgroup' }),
    )
  const values = files.flatMap(({ controller, names }): [string, string][] => {
    const hierarchy = hierarchyOf(all, controller)
    const directory = hierarchy && directoryIn(hierarchy, paths.path.slice(1))
    if (names !== 'all') return names.map((file) => [file, readVariable(host, typed, directory, file)])
    if (directory === undefined || !isGroup(directory)) return []
    return readEntries(directory)
      .files.filter((file) => file.startsWith(`${controller}.`))
      .map((file) => [file, readRaw(directory, file).text ?? ''])
  })
  return { typed, values }
}

function readVariable(host: Host, typed: string, directory: string | undefined, file: string): string {
  const raw = directory === undefined ? undefined : readRaw(directory, file)
  if (raw?.text !== undefined) return raw.text
  return orStatus(statuses.refused, () => {
    // the file exists, but can only be written, or its feature is disabled
    if (raw !== undefined && raw.errno !== 'ENOENT') return ''
    const paths = present(groupPathsOf(host, typed))
    if (paths && Object.keys(host.v1).length > 0 && describeFile(file, 'v2')) return readRawFile(paths, file)
    throw explainRead(directory ?? groupPathsOf(host, typed).path, file, 'ENOENT')
  })
}

/** Formats the groups as libcgroup does. Further lines of a value begin with a tab, and an empty line follows each group. */
export function formatGroups(groups: readonly Printed[], parsed: ParsedOptions): string {
  const headers = valuesOf(parsed, 'n').length === 0
  const names = valuesOf(parsed, 'v').length === 0
  return groups
    .map(({ typed, values }) => {
      const lines = values.map(([file, text]) => `${names ? `${file}: ` : ''}${text.replaceAll('\n', '\n\t')}\n`)
      return headers ? `${typed}:\n${lines.join('')}\n` : lines.join('')
    })
    .join('')
}
