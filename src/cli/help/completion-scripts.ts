// SPDX-License-Identifier: Apache-2.0
// Completion scripts for bash, zsh and fish. Pure.
import type { Flag, FlagTable } from '../flags.ts'

/** What can follow the words `path` on a command line: words and options. */
export interface CompletionEntry {
  /** Words already typed after `hutch`, such as `cgroup set`. */
  path: string
  /** Words that can follow, with their meaning. */
  words: readonly (readonly [word: string, meaning: string])[]
  flags: FlagTable
  /** True if the command line of another program follows. It is completed as that program's own. */
  runsCommand?: boolean
}

export const scripts: { readonly [shell: string]: (entries: readonly CompletionEntry[]) => string } = {
  bash: formatBash,
  zsh: formatZsh,
  fish: formatFish,
}

const names = (flags: FlagTable) =>
  Object.entries(flags).flatMap(([name, { short }]) => [`--${name}`, ...(short ? [`-${short}`] : [])])

/** Returns the options whose value is the next word, grouped by how the value is completed. */
function valuesBy(flags: FlagTable): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const [name, { value, short, complete }] of Object.entries(flags)) {
    if (value === undefined) continue
    const kind = typeof complete === 'object' ? `words ${complete.join(' ')}` : (complete ?? 'none')
    found.set(kind, [...(found.get(kind) ?? []), `--${name}`, ...(short ? [`-${short}`] : [])])
  }
  return found
}

/** Shell actions that complete a value, by kind of value. */
type Actions = { readonly [kind: string]: string | undefined }

const zshActions: Actions = { file: '_files', directory: '_files -/', user: '_users', group: '_groups' }
const fishActions: Actions = {
  file: ' -r -F',
  directory: " -x -a '(__fish_complete_directories)'",
  user: " -x -a '(__fish_complete_users)'",
  group: " -x -a '(__fish_complete_groups)'",
}

const bashActions: { [kind: string]: string } = {
  file: 'compopt -o filenames; COMPREPLY=($(compgen -f -- "$cur"))',
  directory: 'compopt -o filenames; COMPREPLY=($(compgen -d -- "$cur"))',
  user: 'COMPREPLY=($(compgen -u -- "$cur"))',
  group: 'COMPREPLY=($(compgen -g -- "$cur"))',
  none: 'COMPREPLY=()',
}

function bashAction(kind: string): string {
  return bashActions[kind] ?? `COMPREPLY=($(compgen -W '${kind.slice('words '.length)}' -- "$cur"))`
}

function formatBash(entries: readonly CompletionEntry[]): string {
  const paths = entries.filter(({ words }) => words.length > 0).map(({ path }) => path)
  const cases = entries.map(({ path, words, flags, runsCommand }) => {
    const values = [...valuesBy(flags)].map(([kind, some]) => `      ${some.join('|')}) ${bashAction(kind)}; return ;;`)
    const options = [...names(flags), '--help'].join(' ')
    const rest =
      words.length > 0
        ? `COMPREPLY=($(compgen -W '${words.map(([word]) => word).join(' ')}' -- "$cur"))`
        : bashActions.file!
    return [
      `  '${path}')`,
      ...(values.length > 0 ? ['    case $prev in', ...values, '    esac'] : []),
      `    valued=' ${[...valuesBy(flags).values()].flat().join(' ')} '`,
      ...(runsCommand ? ['    _hutch_command "$at" && return'] : []),
      `    if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '${options}' -- "$cur")); else ${rest}; fi ;;`,
    ].join('\n')
  })
  return `# bash completion for hutch
# Where a command line of its own begins, that command is completed.
_hutch_command() {
  local i=$1 word
  while ((i < COMP_CWORD)); do
    word=\${COMP_WORDS[i]}
    if [[ $word == -- ]]; then ((i++)); break; fi
    [[ $word == -* ]] || break
    [[ $valued == *" $word "* ]] && ((i++))
    ((i++))
  done
  ((i < COMP_CWORD)) || [[ $i -eq $COMP_CWORD && \${COMP_WORDS[COMP_CWORD]} != -* ]] || return 1
  declare -F _command_offset >/dev/null || return 1
  _command_offset "$i"
}

_hutch() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} path= at=1 valued=
  while ((at < COMP_CWORD)) && [[ ' ${paths.filter(Boolean).join(' ')} ' == *" $path "* || -z $path ]]; do
    path="\${path:+$path }\${COMP_WORDS[at]}"
    ((at++))
  done
  COMPREPLY=()
  case $path in
${cases.join('\n')}
  esac
}
complete -F _hutch hutch
`
}

function formatZsh(entries: readonly CompletionEntry[]): string {
  const quote = (text: string) => text.replaceAll("'", "'\\''")
  const spec = (name: string, { value, short, complete, help, repeat }: Flag) => {
    const action =
      typeof complete === 'object'
        ? `(${complete.map((word) => word.replaceAll(':', '\\:')).join(' ')})`
        : (zshActions[complete ?? ''] ?? ' ')
    const meaning = quote(help.replaceAll('\\', '\\\\').replace(/[[\]:]/g, '\\$&'))
    const rest = `[${meaning}]${value === undefined ? '' : `:${quote(value.replaceAll(':', '\\:'))}:${action}`}`
    return [`--${name}`, ...(short ? [`-${short}`] : [])].map((flag) => `'${repeat ? '*' : ''}${flag}${rest}'`)
  }
  const bodies = entries.map(({ path, words, flags, runsCommand }) => {
    const specs = [...Object.entries(flags).flatMap(([name, flag]) => spec(name, flag)), "'--help[Show the help]'"]
    const list = words.map(([word, meaning]) => `'${word}:${quote(meaning.replaceAll(':', '\\:'))}'`).join(' ')
    const rest = runsCommand ? "'*::command:_normal'" : "'*:word:_files'"
    const body =
      words.length > 0
        ? `    local -a list=(${list})\n    _describe command list`
        : `    _arguments -s -S ${specs.join(' \\\n      ')} \\\n      ${rest}`
    return `  '${path}')\n${body} ;;`
  })
  const families = entries.filter(({ path, words }) => words.length > 0 && path !== '').map(({ path }) => path)
  return `#compdef hutch
# zsh completion for hutch
_hutch() {
  local name=
  while ((CURRENT > 2)) && [[ -z $name || ' ${families.join(' ')} ' == *" $name "* ]]; do
    name="\${name:+$name }\${words[2]}"
    shift words
    ((CURRENT--))
  done
  case $name in
${bodies.join('\n')}
  esac
}
[[ $funcstack[1] == _hutch ]] && _hutch "$@" || compdef _hutch hutch
`
}

function formatFish(entries: readonly CompletionEntry[]): string {
  const quote = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
  const lines = entries.flatMap(({ path, words, flags }) => {
    const condition = `-n ${quote(`__hutch_at ${path}`.trim())}`
    return [
      ...words.map(([word, meaning]) => `complete -c hutch -f ${condition} -a ${word} -d ${quote(meaning)}`),
      ...Object.entries(flags).map(([name, { value, short, complete, help }]) => {
        const action =
          value === undefined
            ? ''
            : typeof complete === 'object'
              ? ` -x -a ${quote(complete.join(' '))}`
              : (fishActions[complete ?? ''] ?? ' -x')
        return `complete -c hutch ${condition} -l ${name}${short ? ` -s ${short}` : ''}${action} -d ${quote(help)}`
      }),
    ]
  })
  return `# fish completion for hutch
# Whether the words after hutch begin with these, and the next one is being typed.
function __hutch_at
  set -l words (commandline -opc)
  set -e words[1]
  test (count $words) -ge (count $argv); or return 1
  if test (count $argv) -eq 0
    test (count $words) -eq 0; and return
    return 1
  end
  test "$words[1..$(count $argv)]" = "$argv"
end
${lines.join('\n')}
`
}
