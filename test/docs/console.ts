// SPDX-License-Identifier: Apache-2.0
// Commands of a page's console blocks with what they print, and `hutch` in the path to run them.
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { collect } from '../cli/hutch.ts'
import { hutchLine } from '../support/command.ts'

/** Each `$ command` of a page, or of one section of it, and the lines below it. */
export function commandsOf(page: string, section = ''): [command: string, output: string][] {
  const text = readFileSync(page, 'utf8')
  const part = section === '' ? text : text.split(`\n## ${section}\n`)[1]!.split('\n## ')[0]!
  return [...part.matchAll(/^```console\n([\s\S]*?)^```$/gm)].flatMap(([, block]) =>
    [...block!.matchAll(/^\$ (.*)\n((?:(?!\$ ).*\n)*)/gm)].map(([, command, output]): [string, string] => [
      command!,
      output!,
    ]),
  )
}

/** Runs a command as a reader would type it, in `directory`; `bin` is where `hutch` is put. */
export function typed(command: string, directory: string, bin: string) {
  writeFileSync(`${bin}/hutch`, `#!/bin/sh\nexec ${hutchLine} "$@"\n`)
  chmodSync(`${bin}/hutch`, 0o755)
  return collect('sh', ['-c', command], {
    cwd: directory,
    env: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
  })
}
