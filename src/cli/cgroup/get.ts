// SPDX-License-Identifier: Apache-2.0
// hutch cgroup get: prints the values of files in the kernel's format, or as JSON.

import { readFileNames } from '../../cgroup/files.ts'
import { openGroup, readFileText, readFileValue } from '../../cgroup/group.ts'
import type { GroupPaths } from '../../cgroup/group-paths.ts'
import { HutchError } from '../../errors/errors.ts'
import { print } from '../../system/stdout.ts'
import { formatJson } from '../../text/quote.ts'
import type { Command } from '../command.ts'

export const command: Command = {
  flags: { json: { help: 'Print typed values as JSON.' } },
  words: 'GROUP [FILE…]',
  minWords: 1,
  main({ values, rest: [name, ...files] }) {
    const group = openGroup(name!)
    const wanted = files.length > 0 ? files : allFiles(group)
    const read = wanted.flatMap((file): [string, unknown][] => {
      try {
        return [[file, values.json ? readFileValue(group, file) : readFileText(group, file)]]
      } catch (error) {
        // without file names, all files are read except those that can only be written
        if (files.length > 0 || !HutchError.is(error)) throw error
        return []
      }
    })
    if (values.json) print(`${formatJson(Object.fromEntries(read), 2)}\n`)
    else if (files.length === 1) print(`${read[0]![1]}\n`)
    else print(read.map(([file, text]) => formatFile(file, text as string)).join(''))
    return 0
  },
}

function allFiles(group: GroupPaths): string[] {
  return [...new Set(Object.values(group.directories).flatMap(readFileNames))].sort()
}

/** Formats a file's value: a single line follows the file's name, several lines are printed below the name. */
function formatFile(file: string, text: string): string {
  return text.includes('\n') ? `${file}:\n${text.replace(/^/gm, '  ')}\n` : `${file}: ${text}\n`
}
