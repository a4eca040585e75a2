// SPDX-License-Identifier: Apache-2.0
// Formats one man page per command in the macros of man(7), from the same tables as the help. Pure; called by man-pages.ts.
import type { Command, CommandGroup } from '../command.ts'
import { flagsBySection, flagText, flagUsage, usageLines } from './format.ts'

/** A command for the man page: its full name after `hutch`, and its summary. */
export interface Described {
  name: string
  summary: string
  command: Command
}

/** Returns the man page hutch(1). Its footer contains `version`. */
export function formatMainPage({ verbs, details }: CommandGroup, version: string): string {
  const names = Object.keys(verbs)
  return [
    ...head('hutch', 'run anything on Linux inside limits that you can see', version),
    '.SH SYNOPSIS',
    '.B hutch',
    '.I COMMAND',
    '[OPTIONS]',
    '.SH COMMANDS',
    ...Object.entries(verbs).flatMap(([name, { summary }]) => [
      '.TP',
      `.BR hutch\\-${roff(name)} (1)`,
      `${roff(summary)}.`,
    ]),
    ...(details === undefined ? [] : ['.SH DROP-IN COMMANDS', ...paragraphs(details)]),
    ...environment,
    '.SH SEE ALSO',
    names.map((name) => `.BR hutch\\-${roff(name)} (1)`).join(',\n'),
    '',
  ].join('\n')
}

/** Returns the man page of a command. `parts` contains the command's verbs or, for a command without verbs, the command. */
export function formatPage(name: string, summary: string, parts: readonly Described[], version: string): string {
  const one = parts.length === 1 && parts[0]!.name === name ? parts[0]! : undefined
  return [
    ...head(`hutch-${name}`, lowerFirst(summary), version),
    '.SH SYNOPSIS',
    ...parts
      .flatMap((part) => usageLines(part.name, part.command))
      .flatMap((line, i) => [...(i === 0 ? [] : ['.br']), `.B ${roff(line)}`]),
    ...(one
      ? describe(one)
      : parts.flatMap((part) => [`.SH ${roff(part.name.toUpperCase())}`, ...describe(part, true)])),
    '.SH SEE ALSO',
    '.BR hutch (1)',
    '',
  ].join('\n')
}

function head(title: string, summary: string, version: string): string[] {
  return [
    '.\\" SPDX-License-Identifier: Apache-2.0',
    `.TH ${roff(title.toUpperCase())} 1 "" "hutch ${version}" "User Commands"`,
    '.SH NAME',
    `${roff(title)} \\- ${roff(summary)}`,
  ]
}

/** Returns the sections of a man page that describe one command or verb. Headings of a verb are one level lower. */
function describe({ summary, command }: Described, isVerb = false): string[] {
  const { details, flags, examples = [], statuses = [] } = command
  const sections = flagsBySection(flags)
  const heading = isVerb ? '.SS' : '.SH'
  return [
    ...(isVerb ? [] : ['.SH DESCRIPTION']),
    `${roff(summary)}.`,
    ...(details === undefined ? [] : ['.PP', ...paragraphs(details)]),
    ...(sections.length === 0 || isVerb ? [] : ['.SH OPTIONS']),
    ...sections.flatMap(([title, some]) => [
      ...(sections.length === 1 && !isVerb ? [] : [`.SS ${roff(title)}`]),
      ...some.flatMap(([flag, row]) => ['.TP', `.B ${roff(flagUsage(flag, row))}`, roff(flagText(row))]),
    ]),
    ...(examples.length === 0 ? [] : [`${heading} Examples`]),
    ...examples.flatMap(([line, meaning], i) => [
      ...(i === 0 ? [] : ['.PP']),
      `${roff(upperFirst(meaning))}:`,
      '.PP',
      '.nf',
      '.RS',
      roff(line),
      '.RE',
      '.fi',
    ]),
    ...(statuses.length === 0 ? [] : [`${heading} Exit status`]),
    ...statuses.flatMap(([status, meaning]) => ['.TP', `.B ${roff(status)}`, `${roff(upperFirst(meaning))}.`]),
  ].map((line) => (line.startsWith('.SH ') ? line.toUpperCase() : line))
}

const environment = [
  '.SH ENVIRONMENT',
  '.TP',
  '.B HUTCH_STATE',
  '0: do not keep the report of the last failed run for',
  '.BR hutch\\-why (1).',
  '.TP',
  '.B NO_COLOR',
  'If set, no colors are used.',
]

function paragraphs(text: string): string[] {
  return text.split('\n').flatMap((line, i) => [...(i === 0 ? [] : ['.br']), roff(line.trim())])
}

/** Escapes characters that troff would interpret. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('…', '...')
    .replace(/^([.'])/, '\\&$1')
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}

function upperFirst(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
