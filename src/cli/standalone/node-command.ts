// SPDX-License-Identifier: Apache-2.0
// In the binary without Node: a command that needs Node. Executes hutch for Node in place of this process, if it is installed.
import { fail } from '../../errors/errors.ts'
import { existsSync, statSync } from '../../system/files.ts'
import { native } from '../../system/native.ts'
import { dirname } from '../../system/paths.ts'
import type { Command } from '../command.ts'
import type { Parsed } from '../flags.ts'

/**
 * Where hutch for Node may be, by the directory of this program. Other directories are not searched: another user may be able to write to a
 * directory beside a copy of this program.
 */
const places: readonly [RegExp, string][] = [
  // a package of npm: hutch has it in its own node_modules, is beside it, or, with pnpm, in the node_modules above
  [/\/hutch\/node_modules\/hutch-linux-\w+$/, '../../dist/cli.cjs'],
  [/\/node_modules\/hutch-linux-\w+$/, '../hutch/dist/cli.cjs'],
  [/\/node_modules\/\.pnpm\/[^/]+\/node_modules\/hutch-linux-\w+$/, '../../../../hutch/dist/cli.cjs'],
  [/\/node_modules\/\.pnpm\/[^/]+\/node_modules\/hutch-linux-\w+$/, '../../../node_modules/hutch/dist/cli.cjs'],
  // installed by npm install --global under the same prefix, and, for Debian's package, under /usr/local
  [/\/bin$/, '../lib/node_modules/hutch/dist/cli.cjs'],
  [/^\/usr\/bin$/, '../local/lib/node_modules/hutch/dist/cli.cjs'],
  // a checkout
  [/\/build\/standalone$/, '../../dist/cli.cjs'],
]

/** Returns a command with the help of the original, which the build describes. */
export function nodeCommand(description: Omit<Command, 'main'>): { command: Command }['command'] {
  return { ...description, main }
}

/** Returns true for a file of root, of this user, or of the owner of this program. */
function isTrusted(path: string): boolean {
  return existsSync(path) && [0, process.geteuid?.(), statSync(process.execPath).uid].includes(statSync(path).uid)
}

function main(_parsed: Parsed): never {
  const directory = dirname(process.execPath)
  const path = places
    .filter(([pattern]) => pattern.test(directory))
    .map(([, place]) => `${directory}/${place}`)
    .find(isTrusted)
  const words = ['node', path ?? '', ...process.argv.slice(2)]
  if (path !== undefined) native().exec('', words.join('\0'), words.length, 0)
  throw fail('NODE_MISSING', {
    what: `run hutch ${process.argv[2] ?? ''}`,
    missing:
      path === undefined ? 'hutch for Node, which is not installed beside this program' : 'node, which is not in PATH',
  })
}
