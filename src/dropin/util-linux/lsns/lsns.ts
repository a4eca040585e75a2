// SPDX-License-Identifier: Apache-2.0
// lsns: lists the namespaces that this process can see, or the processes in one of them.

import { fail } from '../../../errors/errors.ts'
import { type NamespaceProcess, namespacePath, readCommandLine, readNamespaces } from '../../../host/namespaces.ts'
import { nameOfUser } from '../../../host/passwd.ts'
import { namespaceFiles } from '../../../namespaces/namespace.ts'
import { print } from '../../../system/stdout.ts'
import { isatty, WriteStream } from '../../../system/terminals.ts'
import { nearest } from '../../../text/nearest.ts'
import { orStatus, statuses } from '../../exit-status.ts'
import type { ParsedOptions } from '../../getopt.ts'
import { lastOf, toolMain, valuesOf } from '../../tool.ts'
import { columns, defaultColumns, findColumn, type LsnsColumn, type Subject, type SubjectReader } from './columns.ts'
import { parseFilter, type RowFilter } from './filter.ts'
import {
  findHeld,
  type Lines,
  type ListRequest,
  listNamespaces,
  listProcesses,
  type Tree,
  type TreeNode,
} from './lines.ts'
import { type Column, formatAligned, formatTableAsJson, formatTableRaw, type Line, type Paper } from './table.ts'

declare const HUTCH_VERSION: string

export const main = toolMain({
  name: 'lsns',
  usage: ['[OPTIONS] [NAMESPACE]'],
  purpose: `Lists namespaces, or the processes in the namespace with this number. Columns:\n\n${columns
    .map(({ name, help }) => `  ${name.padEnd(7)}  ${help}\n`)
    .join('')}`,
  failure: 1,
  options: {
    J: { long: ['json'], help: 'as JSON' },
    l: { long: ['list'], help: 'print a list, not a tree' },
    n: { long: ['noheadings'], help: 'without headings' },
    o: { long: ['output'], value: 'LIST', help: 'print these columns; +LIST adds columns to the default ones' },
    'output-all': { help: 'all columns' },
    P: { long: ['persistent'], help: 'only namespaces without processes, which mounts keep alive' },
    p: { long: ['task'], value: 'PID', help: 'only namespaces that this process is in' },
    Q: { long: ['filter'], value: 'EXPRESSION', help: 'only matching lines: scols-filter(5)' },
    r: { long: ['raw'], help: 'separate columns by one space, and escape special characters' },
    u: { long: ['notruncate'], help: "do not truncate text to the terminal's width" },
    W: { long: ['nowrap'], help: 'print several mounts on one line, separated by commas' },
    t: { long: ['type'], value: 'NAME', help: `only this kind: ${namespaceFiles.join(', ')}; may be repeated` },
    T: { long: ['tree'], value: 'RELATION', optional: true, help: 'as a tree: process, parent, owner (when not said)' },
    H: { long: ['list-columns'], help: 'list the columns' },
    V: { long: ['version'], help: 'print the version' },
  },
  run,
})

type Format = 'aligned' | 'raw' | 'json'

function run(parsed: ParsedOptions): number {
  const letters = new Set(parsed.options.map(([key]) => key))
  if (letters.has('V')) {
    print(`lsns from hutch ${HUTCH_VERSION}, as util-linux 2.42 has it\n`)
    return 0
  }
  for (const [a, b] of [
    ['J', 'r'],
    ['P', 'p'],
  ] as const)
    if (letters.has(a) && letters.has(b))
      throw fail('OPTION_CONFLICT', { name: `-${a}`, why: `-${b} is given, too`, remedy: 'omit one of them' })
  const format: Format = letters.has('J') ? 'json' : letters.has('r') ? 'raw' : 'aligned'
  const id = parsed.words[0] === undefined ? undefined : readId(parsed.words[0])
  const wanted: ListRequest = {
    files: readKinds(parsed) ?? namespaceFiles,
    tree: readTree(parsed, !letters.has('l') && (id !== undefined || !letters.has('output-all'))),
    task: readTask(parsed),
    persistent: letters.has('P'),
  }
  if (id !== undefined && wanted.task !== undefined)
    throw fail('OPTION_CONFLICT', { name: '-p', why: 'a namespace is given, too', remedy: 'omit one of them' })
  const shown = readColumns(parsed, defaultColumns(id !== undefined, readKinds(parsed)))
  const filter = readFilter(parsed)
  const paper: Paper = {
    headings: !letters.has('n'),
    width: letters.has('u') ? undefined : terminalWidth(),
    utf8: /utf-?8/i.test(process.env.LC_ALL || process.env.LC_CTYPE || process.env.LANG || ''),
  }
  if (letters.has('H')) {
    print(listColumns(format, paper))
    return 0
  }
  const looks = readLooks()
  const keep = (subject: Subject) => filter?.((name) => textOf(findColumn(name)!.cell(subject, looks))) ?? true
  const lines = readLines(id, wanted, keep)
  const columnsOf = toColumns(shown, wanted.tree)
  const isTree = columnsOf.some(({ tree }) => tree)
  const joins = letters.has('W') || format !== 'aligned'
  const toLine = ({ subject, children }: TreeNode): Line => ({
    cells: shown.map((column) => {
      const cell = column.cell(subject, looks)
      return joins ? textOf(cell) : cell
    }),
    children: isTree ? children.map(toLine) : [],
  })
  print(formatAs(format, 'namespaces', columnsOf, (isTree ? lines.roots : lines.listed).map(toLine), paper))
  return 0
}

/** Returns the columns to print, and marks the column that shows the tree. */
function toColumns(shown: readonly LsnsColumn[], tree: Tree): Column[] {
  const at = tree === 'process' ? 'COMMAND' : tree === 'none' ? undefined : 'NS'
  return shown.map((column) => ({ ...column, tree: column.name === at }))
}

function readLines(id: number | undefined, wanted: ListRequest, keep: (subject: Subject) => boolean): Lines {
  const seen = readSeen(wanted.files)
  if (id === undefined) return listNamespaces(seen, wanted, keep)
  const namespace = seen.byId.get(id)
  if (!namespace || (namespace.processes.length === 0 && !findHeld(seen).has(id)))
    throw fail('NAMESPACE_NOT_FOUND', { id: String(id) })
  return listProcesses(namespace, wanted.tree, keep)
}

/** Reads the namespaces. If the kernel does not know an ioctl, the error gets a special exit status. */
const readSeen = (files: readonly string[]) => orStatus(statuses.unknownIoctl, () => readNamespaces(files))

function readLooks(): SubjectReader {
  const known = new Map<NamespaceProcess, string>()
  return {
    command(process) {
      const text = known.get(process) ?? readCommandLine(process)
      known.set(process, text)
      return text
    },
    user: nameOfUser,
    path: namespacePath,
  }
}

function textOf(cell: string | readonly string[] | undefined): string | undefined {
  const text = typeof cell === 'object' ? cell.join(',') : cell
  return text === '' ? undefined : text
}

function formatAs(format: Format, name: string, shown: readonly Column[], lines: readonly Line[], paper: Paper) {
  if (format === 'json') return formatTableAsJson(name, shown, lines)
  return format === 'raw' ? formatTableRaw(shown, lines, paper) : formatAligned(shown, lines, paper)
}

function listColumns(format: Format, paper: Paper): string {
  const headings: Column[] = [
    { name: 'HOLDER', hint: 0, right: true },
    { name: 'TYPE', hint: 0 },
    { name: 'DESCRIPTION', hint: 0 },
  ]
  const lines = columns.map(({ name, number, help }) => ({
    cells: [name, number ? '<integer>' : '<string>', help],
    children: [],
  }))
  return formatAs(format, 'lsns-columns', headings, lines, { ...paper, headings: false })
}

function terminalWidth(): number | undefined {
  return isatty(1) ? new WriteStream(1).columns || undefined : undefined
}

function readKinds(parsed: ParsedOptions): string[] | undefined {
  const kinds = valuesOf(parsed, 't')
  for (const kind of kinds)
    if (!namespaceFiles.includes(kind))
      throw fail('OPTION_INVALID', {
        name: '-t',
        value: kind,
        why: 'there is no such kind of namespace',
        accepted: nearest(kind, namespaceFiles) ?? namespaceFiles.join(', '),
      })
  return kinds.length === 0 ? undefined : kinds
}

/** Returns the form of the output: the tree that -T names, by default a tree of processes if that is possible. */
function readTree(parsed: ParsedOptions, byItself: boolean): Tree {
  const text = lastOf(parsed, 'T')?.replace(/^=/, '')
  if (text === undefined) return byItself ? 'process' : 'none'
  if (text === '') return 'owner'
  if (text === 'process' || text === 'parent' || text === 'owner') return text
  throw fail('OPTION_INVALID', {
    name: '--tree',
    value: text,
    why: 'there is no such relation',
    accepted: nearest(text, ['process', 'parent', 'owner']) ?? 'process, parent or owner',
  })
}

function readTask(parsed: ParsedOptions): number | undefined {
  const text = lastOf(parsed, 'p')
  if (text === undefined) return undefined
  const pid = /^\s*\+?\d+$/.test(text) ? Number(text) : 0
  if (pid >= 1 && pid <= 0x7fff_ffff) return pid
  throw fail('OPTION_INVALID', { name: '-p', value: text, why: 'not a process id', accepted: 'a number from 1' })
}

function readId(text: string): number {
  const id = /^\s*\+?\d+$/.test(text) ? Number(text) : Number.NaN
  if (id <= 0xffff_ffff) return id
  throw fail('OPTION_INVALID', {
    name: 'NAMESPACE',
    value: text,
    why: 'not the number of a namespace',
    accepted: 'a number as in the column NS',
  })
}

function readColumns(parsed: ParsedOptions, defaults: readonly LsnsColumn[]): readonly LsnsColumn[] {
  const text = lastOf(parsed, 'o')
  const base = valuesOf(parsed, 'output-all').length > 0 ? columns : defaults
  if (text === undefined) return base
  const names = (text.startsWith('+') ? text.slice(1) : text).split(',')
  const named = names.map((name) => {
    const column = findColumn(name)
    if (column) return column
    const all = columns.map((one) => one.name)
    throw fail('OPTION_INVALID', {
      name: '-o',
      value: name,
      why: 'there is no such column',
      accepted: nearest(name.toUpperCase(), all) ?? `some of ${all.join(', ')}`,
    })
  })
  return text.startsWith('+') ? [...base, ...named] : named
}

function readFilter(parsed: ParsedOptions): RowFilter | undefined {
  const text = lastOf(parsed, 'Q')
  if (text === undefined) return undefined
  return parseFilter(
    text,
    Object.fromEntries(columns.map(({ name, number }) => [name, number ? 'integer' : 'string'] as const)),
  )
}
