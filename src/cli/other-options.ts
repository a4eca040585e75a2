// SPDX-License-Identifier: Apache-2.0
// Rewrites options of other tools on a command line of hutch run or hutch compile. Loaded only if there may be one.

import { fail } from '../errors/errors.ts'
import { translateOptions } from '../options/others/translate.ts'
import { maxConfigBytes, readTextFile } from '../system/text-file.ts'
import type { FlagTable } from './flags.ts'

/**
 * Translates options of other tools, such as docker, in a command line to hutch's options. `flags` are the options of the command. @throws
 * OPTION_UNKNOWN, OPTION_INVALID, FILE_REFUSED
 */
export function translateOthers(args: string[], flags: FlagTable): string[] {
  const own = new Map(
    Object.entries(flags).flatMap(([name, flag]) => [
      [`--${name}`, flag] as const,
      ...(flag.short ? [[`-${flag.short}`, flag] as const] : []),
    ]),
  )
  return translateOptions(args, { readText }, own)
}

function readText(path: string): string {
  try {
    return readTextFile(path, maxConfigBytes)
  } catch (error) {
    const { code = 'EIO' } = error as NodeJS.ErrnoException
    throw fail('FILE_REFUSED', { what: 'read', path, errno: code, remedy: 'name a file that you can read' }, error)
  }
}
