// SPDX-License-Identifier: Apache-2.0
// hutch cgroup show: prints every file of any group, with value, unit and meaning.

import { describeFile, describeKey } from '../../cgroup/controllers/catalog.ts'
import type { FileWords } from '../../cgroup/controllers/entry.ts'
import { readFileNames, tryRead } from '../../cgroup/files.ts'
import { openGroup, readFileText } from '../../cgroup/group.ts'
import type { GroupPaths } from '../../cgroup/group-paths.ts'
import { describeProcesses, isUnified, shortenList } from '../../cgroup/group-state.ts'
import { parseValue } from '../../cgroup/value-read.ts'
import { quote } from '../../errors/errors.ts'
import { print } from '../../system/stdout.ts'
import { formatJson } from '../../text/quote.ts'
import { formatDuration, formatSize } from '../../text/units.ts'
import type { Command } from '../command.ts'

/** A file of a group to print, with its value or its error. */
interface Shown {
  file: string
  /** Directory of the file. */
  directory: string
  words: FileWords | undefined
  text: string | undefined
  errno: string | undefined
}

export const command: Command = {
  flags: { json: { help: 'Print typed values as JSON.' } },
  words: 'GROUP [FILE…]',
  minWords: 1,
  main({ values, rest: [name, ...wanted] }) {
    const group = openGroup(name!)
    const files = readAll(group, wanted)
    print(values.json ? `${formatJson(files.map(makeJson), 2)}\n` : formatGroup(group, files))
    return 0
  },
}

/** Reads the named files of a group, or all files without names. @throws CGROUP_FILE_MISSING if no hierarchy has a named file */
function readAll(group: GroupPaths, wanted: string[]): Shown[] {
  for (const file of wanted) if (!hasFile(group, file)) readFileText(group, file)
  return [...new Set(Object.values(group.directories))].flatMap((directory) => {
    const version = isUnified(directory) ? 'v2' : 'v1'
    return readFileNames(directory)
      .filter((file) => wanted.length === 0 || wanted.includes(file))
      .map((file): Shown => {
        const words = describeFile(file, version)
        const { text, errno } =
          words?.access === 'write' ? { text: undefined, errno: undefined } : tryRead(directory, file)
        return { file, directory, words, text, errno }
      })
  })
}

function hasFile(group: GroupPaths, file: string): boolean {
  return Object.values(group.directories).some((directory) => readFileNames(directory).includes(file))
}

function makeJson({ file, directory, words, text, errno }: Shown) {
  return {
    file,
    path: `${directory}/${file}`,
    ...(words && { controller: words.controller, meaning: words.meaning, unit: words.unit, access: words.access }),
    ...(words?.since && { since: words.since }),
    ...(text !== undefined && { value: words ? parseValue(words, text) : text }),
    ...(errno !== undefined && { errno }),
  }
}

function formatGroup(group: GroupPaths, files: Shown[]): string {
  const out = [group.path]
  for (const directory of new Set(files.map((one) => one.directory))) {
    const inside = describeProcesses(directory)
    out.push('', directory, inside.length > 0 ? `  processes in it: ${shortenList(inside)}` : '  no processes in it')
    const here = files.filter((one) => one.directory === directory)
    for (const controller of new Set(here.map((one) => one.words?.controller ?? 'unknown to hutch'))) {
      const rows = here
        .filter((one) => (one.words?.controller ?? 'unknown to hutch') === controller)
        .flatMap(formatFile)
      const widths = [0, 1].map((i) => Math.min(44, Math.max(...rows.map((row) => row[i]!.length))))
      out.push('', `  ${controller}`)
      for (const [file, value, meaning] of rows)
        out.push(`    ${file!.padEnd(widths[0]!)}  ${value!.padEnd(widths[1]!)}  ${meaning}`.trimEnd())
    }
  }
  return `${out.join('\n')}\n`
}

/** Returns the lines for a file: one for the file itself, and one for each key of a keyed file. */
function formatFile({ file, words, text, errno }: Shown): [string, string, string][] {
  const meaning = words?.meaning ?? ''
  if (text === undefined) return [[file, errno ? `(${errno})` : '(write only)', meaning]]
  if (!text.includes('\n') && !words?.keys) return [[file, formatOne(text, words?.unit), meaning]]
  const lines = text.split('\n').filter(Boolean)
  const head: [string, string, string] = [file, lines.length === 0 ? 'empty' : '', meaning]
  return [head, ...lines.map((line) => formatLine(line, words))]
}

function formatLine(line: string, words: FileWords | undefined): [string, string, string] {
  const space = line.indexOf(' ')
  const key = space < 0 ? line : line.slice(0, space)
  const description = words && describeKey(words, key)
  const value = space < 0 ? '' : line.slice(space + 1)
  return [`  ${safe(key)}`, formatOne(value, description?.[0] ?? undefined), description?.[1] ?? '']
}

function formatOne(text: string, unit: string | undefined): string {
  if (text === '') return 'empty'
  if (!/^\d+$/.test(text)) return safe(text)
  const number = Number(text)
  if (unit === 'bytes')
    return number >= 2 ** 62 ? 'no limit' : number >= 1024 ? `${formatSize(number)} (${text})` : `${text} B`
  if (unit === 'µs') return number >= 1000 ? `${formatDuration(number / 1000)} (${text} µs)` : `${text} µs`
  if (unit === 'ns') return `${formatDuration(number / 1e6)} (${text} ns)`
  return text
}

function safe(text: string): string {
  return /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/.test(text) ? quote(text) : text.replaceAll('\t', ' ')
}
