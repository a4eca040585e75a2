// SPDX-License-Identifier: Apache-2.0
// hutch completion SHELL: prints the shell's completion script, made from the same tables as the help.

import { dropins } from '../dropin/table.ts'
import { fail } from '../errors/errors.ts'
import { print } from '../system/stdout.ts'
import type { Command } from './command.ts'
import type { Parsed } from './flags.ts'
import { type CompletionEntry, scripts } from './help/completion-scripts.ts'
import { describeAll } from './help/describe-all.ts'
import { hutch } from './table.ts'

export const command: Command = {
  words: Object.keys(scripts).join('|'),
  flags: {},
  minWords: 1,
  maxWords: 1,
  examples: [
    ['source <(hutch completion bash)', 'use it in this shell'],
    ['hutch completion bash > ~/.local/share/bash-completion/completions/hutch', 'install it for bash'],
    ['hutch completion zsh > "${fpath[1]}/_hutch"', 'install it for zsh'],
    ['hutch completion fish > ~/.config/fish/completions/hutch.fish', 'install it for fish'],
  ],
  main,
}

async function main({ rest: [shell = ''] }: Parsed): Promise<number> {
  const format = Object.hasOwn(scripts, shell) ? scripts[shell] : undefined
  if (!format)
    throw fail('OPTION_INVALID', {
      name: 'SHELL',
      value: shell,
      why: 'there is no completion script for it',
      accepted: Object.keys(scripts).join(', '),
    })
  print(format(await readEntries()))
  return 0
}

async function readEntries(): Promise<CompletionEntry[]> {
  const described = await describeAll(hutch)
  return [
    { path: '', words: described.map(({ name, summary }) => [name, summary] as const), flags: {} },
    ...described.flatMap(({ name, parts }): CompletionEntry[] => {
      const own = parts.map((part) => ({
        path: part.name,
        words: [],
        flags: part.command.flags,
        runsCommand: part.command.runsCommand ?? false,
      }))
      if (parts.length === 1 && parts[0]!.name === name) return own
      const verbs = parts.map((part) => [part.name.slice(name.length + 1), part.summary] as const)
      return [{ path: name, words: verbs, flags: {} }, ...own]
    }),
    { path: 'help', words: described.map(({ name, summary }) => [name, summary] as const), flags: {} },
    ...Object.keys(dropins).map((name) => ({ path: name, words: [], flags: {}, runsCommand: true })),
  ]
}
