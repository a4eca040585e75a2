// SPDX-License-Identifier: Apache-2.0
// hutch cgroup: the table of its verbs.
import { asPrinted } from '../text/non-utf8.ts'
import type { Command, CommandGroup, CommandTable } from './command.ts'
import { parseFlags } from './flags.ts'

const verbs: CommandTable = {
  create: { summary: 'Create a group, with limits and an owner', load: () => import('./cgroup/create.ts') },
  set: { summary: 'Write files of a group', load: () => import('./cgroup/set.ts') },
  get: { summary: 'Read files of a group', load: () => import('./cgroup/get.ts') },
  exec: { summary: 'Join a group and execute a command there', load: () => import('./cgroup/exec.ts') },
  move: { summary: 'Move processes into a group', load: () => import('./cgroup/move.ts') },
  rm: { summary: 'Remove groups', load: () => import('./cgroup/rm.ts') },
  ls: { summary: 'List the groups below a group', load: () => import('./cgroup/ls.ts') },
  tree: { summary: 'Draw the groups with their use and limits', load: () => import('./cgroup/tree.ts') },
  show: { summary: 'Explain each file of a group, with its value', load: () => import('./cgroup/show.ts') },
  controllers: { summary: 'List the controllers and their hierarchies', load: () => import('./cgroup/controllers.ts') },
  freeze: { summary: 'Freeze all tasks of a group', load: () => import('./cgroup/freeze.ts') },
  thaw: { summary: 'Let a frozen group run again', load: () => import('./cgroup/thaw.ts') },
  kill: { summary: 'Kill all processes of a group', load: () => import('./cgroup/kill.ts') },
  wait: { summary: 'Wait until no process is left in groups', load: () => import('./cgroup/wait.ts') },
  reclaim: { summary: 'Make the kernel reclaim memory from a group', load: () => import('./cgroup/reclaim.ts') },
  watch: { summary: 'Print events of groups as they happen', load: () => import('./cgroup/watch.ts') },
  save: { summary: 'Write groups and their settings as JSON', load: () => import('./cgroup/save.ts') },
  apply: { summary: 'Create groups from a saved file', load: () => import('./cgroup/apply.ts') },
}

export const command: CommandGroup = {
  verbs: Object.fromEntries(
    Object.entries(verbs).map(([name, { summary, load }]) => [
      name,
      { summary, load: async () => ({ command: withNames((await load()).command as Command) }) },
    ]),
  ),
  details:
    'GROUP is a path from the root (/build/jobs) or a name. A name is below hutch/ for root, and below your own group otherwise.',
}

/**
 * Decodes escapes in names of groups, so that a name can be pasted as hutch prints it. The words of a command to execute are not changed.
 */
function withNames(verb: Command): Command {
  return {
    ...verb,
    parse(args) {
      const parsed = parseFlags(args, verb.flags, !verb.runsCommand)
      const [first, ...more] = parsed.rest
      if (first === undefined) return parsed
      return { ...parsed, rest: [asPrinted(first), ...(verb.runsCommand ? more : more.map(asPrinted))] }
    },
  }
}
