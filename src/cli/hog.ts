// SPDX-License-Identifier: Apache-2.0
// hutch hog: executes the small native program that contained commands get as `hutch`. It uses only the requested memory, without Node.
import { fail } from '../errors/errors.ts'
import { errnoName, findInsideProgram, native } from '../system/native.ts'
import type { Command } from './command.ts'
import type { Parsed } from './flags.ts'

export const command: Command = {
  words: 'SIZE',
  details:
    'Allocates SIZE in steps and touches each page, as a native program without Node. `hutch` inside a sandbox also has it.',
  flags: {},
  examples: [['hutch run --memory 50M -- hutch hog 100M', 'see the kernel stop it at 50 MiB']],
  parse: parseHog,
  main,
}

/** Passes all arguments on unchanged: the native program parses them. */
function parseHog(args: string[]): Parsed {
  const isHelp = args.some((word) => word === '--help' || word === '-h')
  return { values: isHelp ? { help: [''] } : {}, order: [], rest: args }
}

function main({ rest: args }: Parsed): never {
  const path = findInsideProgram()
  const words = [path, 'hog', ...args]
  const [, errno] = native().exec('', words.join('\0'), words.length, 0)
  if (path.startsWith('/proc/')) throw fail('HOST_UNSUPPORTED', { why: `/proc cannot be read: ${errnoName(-errno)}` })
  throw fail('NATIVE_MISSING', { path, why: errnoName(-errno) })
}
