// SPDX-License-Identifier: Apache-2.0
// Help texts of commands, made from their tables. Pure.
import { sections } from '../../options/row.ts'
import { wrap } from '../../text/terminal-text.ts'
import type { Command, CommandGroup } from '../command.ts'
import type { Flag, FlagTable } from '../flags.ts'

/** Returns the usage lines of a command. `name` contains all its words after `hutch`. */
export function usageLines(name: string, { words, otherUsages = [], flags }: Command): string[] {
  const options = Object.keys(flags).length > 0 ? ' [OPTIONS]' : ''
  return [
    `hutch ${name}${options}${words === '' ? '' : ` ${words}`}`,
    ...otherUsages.map((usage) => `hutch ${name} ${usage}`),
  ]
}

/** Returns the help of a command. If the command marks some options as common and `all` is false, the help lists only these. */
export function formatHelp(name: string, command: Command, summary: string, all: boolean): string {
  const { details, flags, examples = [], statuses = [] } = command
  const [first = '', ...others] = usageLines(name, command)
  const isShort = !all && Object.values(flags).some(({ common }) => common)
  const shown = isShort ? Object.fromEntries(Object.entries(flags).filter(([, { common }]) => common)) : flags
  const more = isShort
    ? [`These are the common options. \`hutch ${name} --help=all\` and ${manPage(name)} have all of them.`]
    : []
  return `${[
    [`Usage: ${first}`, ...others.map((usage) => `       ${usage}`)].join('\n'),
    `${summary}.`,
    ...(details === undefined ? [] : [details]),
    ...formatSections(shown),
    ...(examples.length === 0
      ? []
      : [['Examples:', ...examples.flatMap(([line, meaning]) => [`  # ${meaning}`, `  ${line}`])].join('\n')]),
    ...list('Exit status', statuses),
    ...more,
  ].join('\n\n')}\n`
}

/** Returns the help of a command with verbs, or of hutch itself (`name` is empty). */
export function formatFamily(name: string, { verbs, details }: CommandGroup): string {
  const lead = name === '' ? 'hutch' : `hutch ${name}`
  const rows = Object.entries(verbs).map(([verb, { summary }]) => [verb, summary] as const)
  return `${[
    `Usage: ${lead} COMMAND [OPTIONS]`,
    formatRows(rows).join('\n'),
    ...(details === undefined ? [] : [details]),
    `\`${lead} COMMAND --help\` describes one of them.`,
  ].join('\n\n')}\n`
}

/** Returns the name of the man page that describes a command. */
export function manPage(name: string): string {
  return `hutch-${name.split(' ')[0]}(1)`
}

/** Returns the left column of an option's row: `-m, --memory SIZE`. */
export function flagUsage(name: string, { short, value }: Flag): string {
  return `${short ? `-${short}, ` : ''}--${name}${value ? ` ${value}` : ''}`
}

/** Returns the help text of an option, with its default. */
export function flagText({ help, default: fallback, repeat }: Flag): string {
  return [
    help,
    ...(repeat ? ['Can be repeated.'] : []),
    ...(fallback === undefined ? [] : [`Default: ${fallback}.`]),
  ].join(' ')
}

/** Groups the options by section, in the order of the sections. Options without a section are under "Options". */
export function flagsBySection(flags: FlagTable): [title: string, flags: [string, Flag][]][] {
  const titles: { [section: string]: string } = { '': 'Options', ...sections }
  return Object.entries(titles).flatMap(([section, title]) => {
    const some = Object.entries(flags).filter(([, flag]) => (flag.section ?? '') === section)
    return some.length === 0 ? [] : [[title, some] as [string, [string, Flag][]]]
  })
}

function formatSections(flags: FlagTable): string[] {
  const anyShort = Object.values(flags).some(({ short }) => short)
  const usage = (name: string, flag: Flag) => `${anyShort && !flag.short ? '    ' : ''}${flagUsage(name, flag)}`
  const width = Math.min(30, Math.max(0, ...Object.entries(flags).map(([name, flag]) => usage(name, flag).length)))
  return flagsBySection(flags).map(([title, some]) =>
    [
      `${title}:`,
      ...formatRows(
        some.map(([name, flag]) => [usage(name, flag), flagText(flag)] as const),
        width,
      ),
    ].join('\n'),
  )
}

function list(title: string, rows: readonly (readonly [string, string])[]): string[] {
  return rows.length === 0 ? [] : [[`${title}:`, ...formatRows(rows)].join('\n')]
}

const columns = 100

/** Formats two columns. A left part that is too long gets a line of its own. */
function formatRows(
  rows: readonly (readonly [string, string])[],
  width = Math.max(...rows.map(([left]) => left.length)),
): string[] {
  const left = Math.min(width, 46)
  return rows.flatMap(([name, text]) => {
    const lines = wrap(text, columns - left - 4)
    const indent = ' '.repeat(left + 4)
    const rest = lines.slice(1).map((line) => indent + line)
    if (name.length > left) return [`  ${name}`, ...lines.map((line) => indent + line)]
    return [`  ${name.padEnd(left)}  ${lines[0] ?? ''}`, ...rest]
  })
}
