// SPDX-License-Identifier: Apache-2.0
// cgexec: joins groups, then executes the command.
import { isGroup } from '../../cgroup/files.ts'
import { fail } from '../../errors/errors.ts'
import { type Host, readHost } from '../../host/host.ts'
import { execInGroups } from '../../run/exec-in-group.ts'
import { orStatus, statuses, withStatus } from '../exit-status.ts'
import type { ParsedOptions } from '../getopt.ts'
import { ignoreDelegated, toolMain, valuesOf } from '../tool.ts'
import { placeByRules, reportSticky } from './by-rules.ts'
import { choose, directoryIn, mountedHierarchies, parseGroupSpec } from './group-spec.ts'
import { followers } from './missing-controllers.ts'

export const main = toolMain({
  name: 'cgexec',
  usage: ['[-g CONTROLLERS:PATH …] [--sticky] COMMAND [ARG…]'],
  purpose:
    'Runs a command in control groups. The command replaces cgexec, so process id, signals and status are its own.',
  options: {
    g: { value: 'CONTROLLERS:PATH', help: 'the group to join; can be repeated; /etc/cgrules.conf by default' },
    sticky: { help: 'hutch rules, or cgrulesengd, does not move the command’s children either' },
    ...ignoreDelegated,
    r: { help: 'not supported: hutch starts no idle process in a scope' },
  },
  permute: false,
  run,
})

async function run(parsed: ParsedOptions): Promise<number> {
  if (parsed.words.length === 0) throw fail('COMMAND_MISSING', { usage: 'cgexec -g CONTROLLERS:PATH COMMAND' })
  const texts = valuesOf(parsed, 'g')
  const specs = texts.map((text) => parseGroupSpec(text, '-g'))
  if (valuesOf(parsed, 'r').length > 0)
    throw withStatus(
      statuses.failed,
      fail('OPTION_CONFLICT', {
        name: '-r',
        why: 'the drop-ins create no systemd scopes, so there is no idle process',
        remedy: 'leave it out',
      }),
    )
  const host = readHost()
  const directories = groupsToJoin(host, specs, statuses.notAllowed)
  if (specs.length === 0) orStatus(statuses.rulesMissing, () => placeByRules(process.pid, parsed.words[0]))
  await reportSticky({ pid: process.pid, flags: valuesOf(parsed, 'sticky').length > 0 ? 1 : 0 })
  const { error, failed } = await execInGroups(directories, parsed.words)
  throw withStatus(failed === 'join' ? statuses.refused : statuses.failed, error)
}

/**
 * Returns the directories of the groups to join. Includes the directories that cgset created in further hierarchies. If two groups are in
 * one hierarchy, the last one counts. @throws CGROUP_NOT_FOUND
 */
export function groupsToJoin(host: Host, specs: { controllers: string[]; path: string }[], unknown: number): string[] {
  const all = mountedHierarchies(host)
  const byMount = new Map<string, string>()
  const work = specs.map(({ controllers, path }) => ({ path, hierarchies: choose(all, controllers, unknown) }))
  for (const { path, hierarchies } of work) {
    for (const hierarchy of hierarchies) {
      const directory = directoryIn(hierarchy, path)
      if (!isGroup(directory))
        throw withStatus(statuses.groupMissing, fail('CGROUP_NOT_FOUND', { group: path, where: hierarchy.mount }))
      byMount.set(hierarchy.mount, directory)
    }
  }
  for (const { path } of work)
    for (const directory of followers(host, path, [...byMount.keys()])) byMount.set(directory, directory)
  return [...byMount.values()]
}
