// SPDX-License-Identifier: Apache-2.0
// hutch cgroup VERB: finds the verb, splits its flags and words, calls it.
import { fail } from '../errors.ts'
import { nearest } from '../nearest.ts'
import { asPrinted } from '../non-utf8.ts'
import type { Verb } from './cgroup/verb.ts'
import { formatFlags, parseFlags } from './flags.ts'
import { print } from './output.ts'
import { tell } from './stderr.ts'

const verbs: { [name: string]: [load: () => Promise<{ verb: Verb }>, help: string] } = {
  create: [() => import('./cgroup/create.ts'), 'make a group, with limits and an owner'],
  set: [() => import('./cgroup/set.ts'), 'set files of a group'],
  get: [() => import('./cgroup/get.ts'), 'read files of a group'],
  exec: [() => import('./cgroup/exec.ts'), 'become a command inside a group'],
  move: [() => import('./cgroup/move.ts'), 'move processes into a group'],
  rm: [() => import('./cgroup/rm.ts'), 'remove groups'],
  ls: [() => import('./cgroup/ls.ts'), 'list the groups below one'],
  tree: [() => import('./cgroup/tree.ts'), 'draw the groups, with use against limit'],
  show: [() => import('./cgroup/show.ts'), 'explain every file of a group, with its value'],
  controllers: [() => import('./cgroup/controllers.ts'), 'which controllers there are, and where'],
  freeze: [() => import('./cgroup/freeze.ts'), 'stop all tasks of a group'],
  thaw: [() => import('./cgroup/thaw.ts'), 'let them run again'],
  kill: [() => import('./cgroup/kill.ts'), 'kill all processes of a group'],
  reclaim: [() => import('./cgroup/reclaim.ts'), 'have the kernel take memory back from a group'],
  watch: [() => import('./cgroup/watch.ts'), 'tell what happens to groups, as it happens'],
  save: [() => import('./cgroup/save.ts'), 'write groups and their settings as JSON'],
  apply: [() => import('./cgroup/apply.ts'), 'make groups as a saved file has them'],
}

export async function main(args: string[]): Promise<number> {
  const [name, ...rest] = args
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    const rows = Object.entries(verbs).map(([verb, [, help]]) => `  ${verb.padEnd(12)} ${help}`)
    const note =
      "A GROUP is a path from the root (/build/jobs), or a name: below hutch/ as root, below one's own group as another user."
    const write = name === undefined ? tell : print
    write(`Usage: hutch cgroup VERB …\n\n${rows.join('\n')}\n\n${note}\n`)
    return name === undefined ? 125 : 0
  }
  const found = Object.hasOwn(verbs, name) ? verbs[name] : undefined
  if (!found) throw fail('COMMAND_UNKNOWN', { name: `cgroup ${name}`, nearest: suggestion(name) })
  const { verb } = await found[0]()
  const usage = `hutch cgroup ${name} [OPTIONS] ${verb.words}`
  const { values, rest: words } = parseFlags(rest, verb.flags, !verb.command)
  if (values.help) {
    const table = Object.keys(verb.flags).length > 0 ? `\n${formatFlags(verb.flags)}\n` : ''
    print(`Usage: ${usage}\n${table}`)
    return 0
  }
  if (words.length < verb.least) throw fail('WORDS_MISSING', { usage })
  const [first, ...more] = words
  return verb.main(values, verb.command ? [asPrinted(first!), ...more] : words.map(asPrinted))
}

function suggestion(name: string): string | undefined {
  const near = nearest(name, Object.keys(verbs))
  return near === undefined ? undefined : `cgroup ${near}`
}
