// SPDX-License-Identifier: Apache-2.0
// In the binary without Node: a command that needs Node. Executes hutch for Node in place of this process, if it is installed.
import { fail } from '../../errors/errors.ts'
import { existsSync } from '../../system/files.ts'
import { native } from '../../system/native.ts'
import { dirname } from '../../system/paths.ts'
import type { Command } from '../command.ts'
import type { Parsed } from '../flags.ts'

/** Where hutch for Node may be, from the directory of this program: beside it, in its package, or installed by npm i -g. */
const places = ['cli.cjs', '../dist/cli.cjs', '../../dist/cli.cjs', '../lib/node_modules/hutch/dist/cli.cjs']

/** Returns a command with the help of the original, which the build describes. */
export function nodeCommand(description: Omit<Command, 'main'>): { command: Command }['command'] {
  return { ...description, main }
}

function main(_parsed: Parsed): never {
  const directory = dirname(process.execPath)
  const path = places.map((place) => `${directory}/${place}`).find((place) => existsSync(place))
  const words = ['node', path ?? '', ...process.argv.slice(2)]
  if (path !== undefined) native().exec('', words.join('\0'), words.length, 0)
  throw fail('NODE_MISSING', {
    what: `run hutch ${process.argv[2] ?? ''}`,
    missing:
      path === undefined ? 'hutch for Node, which is not installed beside this program' : 'node, which is not in PATH',
  })
}
