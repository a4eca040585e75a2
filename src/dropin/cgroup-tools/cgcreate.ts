// SPDX-License-Identifier: Apache-2.0
// cgcreate: creates groups in the given hierarchies, all or none.
import { fail } from '../../errors/errors.ts'
import { readHost } from '../../host/host.ts'
import { statuses, withStatus } from '../exit-status.ts'
import type { OptionTable, ParsedOptions } from '../getopt.ts'
import { ignoreDelegated, lastOf, toolMain, valuesOf } from '../tool.ts'
import { createIn, type Permissions, parseMode, parseOwner, takeBack, type UndoList } from './create.ts'
import { choose, mountedHierarchies, parseGroupSpec } from './group-spec.ts'

/** Options for the owners and modes of new groups, shared by cgcreate and cgconfigparser. */
export const permissionOptions: OptionTable = {
  a: { value: 'USER[:GROUP]', help: 'owner of the group and its files' },
  t: { value: 'USER[:GROUP]', help: 'owner of the files that accept processes' },
  d: { long: ['dperm'], value: 'MODE', help: 'mode of the directory' },
  f: { long: ['fperm'], value: 'MODE', help: 'mode of the files' },
  s: { long: ['tperm'], value: 'MODE', help: 'mode of the files that accept processes' },
}

/** Parses the options for the owners and modes of new groups. @throws USER_UNKNOWN, OPTION_INVALID */
export function readPermissions(parsed: ParsedOptions): Permissions {
  const admin = lastOf(parsed, 'a')
  const tasks = lastOf(parsed, 't')
  const modes = (['d', 'f', 's'] as const).map((key) => {
    const text = lastOf(parsed, key)
    return text === undefined ? undefined : parseMode(text, `-${key}`)
  })
  return {
    ...(admin !== undefined && { admin: parseOwner(admin, '-a') }),
    ...(tasks !== undefined && { tasks: parseOwner(tasks, '-t') }),
    ...(modes[0] !== undefined && { directoryMode: modes[0] }),
    ...(modes[1] !== undefined && { fileMode: modes[1] }),
    ...(modes[2] !== undefined && { tasksMode: modes[2] }),
  }
}

export const main = toolMain({
  name: 'cgcreate',
  usage: ['[OPTIONS] -g CONTROLLERS:PATH [-g …]'],
  purpose: 'Makes control groups.',
  options: {
    g: {
      value: 'CONTROLLERS:PATH',
      help: 'the group to create, in the hierarchies of these controllers; can be repeated',
    },
    ...permissionOptions,
    ...ignoreDelegated,
    c: { long: ['scope'], help: 'not supported: hutch run creates systemd scopes' },
    p: { long: ['pid'], value: 'PID', help: 'goes with -c' },
    S: { long: ['setdefault'], help: 'goes with -c' },
  },
  run,
})

function run(parsed: ParsedOptions): number {
  for (const key of ['c', 'p', 'S'])
    if (valuesOf(parsed, key).length > 0)
      throw fail('OPTION_CONFLICT', {
        name: `-${key}`,
        why: 'the drop-ins create plain groups, not systemd scopes',
        remedy: 'systemd-run --scope -p Delegate=yes COMMAND makes one',
      })
  const extra = parsed.words[0]
  if (extra !== undefined)
    throw fail('OPTION_INVALID', {
      name: 'cgcreate',
      value: extra,
      why: 'it accepts only options',
      accepted: 'groups with -g CONTROLLERS:PATH',
    })
  const permissions = readPermissions(parsed)
  const specs = valuesOf(parsed, 'g').map((text) => parseGroupSpec(text, '-g'))
  if (specs.length === 0) throw fail('WORDS_MISSING', { usage: 'cgcreate -g CONTROLLERS:PATH, such as -g memory:demo' })
  const all = mountedHierarchies(readHost())
  const work = specs.map(({ controllers, path, typed }) => {
    const twice = controllers.find((name, i) => controllers.indexOf(name) < i)
    if (twice !== undefined)
      throw withStatus(
        statuses.invalid,
        fail('OPTION_INVALID', {
          name: '-g',
          value: twice,
          why: 'named twice',
          accepted: 'each controller once',
        }),
      )
    return { path, typed, hierarchies: choose(all, controllers, statuses.invalid) }
  })
  const undo: UndoList = []
  try {
    for (const { path, hierarchies } of work)
      for (const hierarchy of hierarchies) createIn(hierarchy, path, permissions, undo)
  } catch (error) {
    takeBack(undo)
    throw error
  }
  return 0
}
