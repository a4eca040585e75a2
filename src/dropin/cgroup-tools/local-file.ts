// SPDX-License-Identifier: Apache-2.0
// Reads and writes ordinary files for the drop-ins: lists, configurations, output.

import { fail } from '../../errors/errors.ts'
import { readdirSync } from '../../system/files.ts'
import { openDocument } from '../../system/output-file.ts'
import { maxConfigBytes, readTextFile } from '../../system/text-file.ts'
import { encodePath } from '../../text/non-utf8.ts'
import { statuses, withStatus } from '../exit-status.ts'

/** Returns the text of a file. @throws FILE_REFUSED with the given exit status */
export function readText(path: string, status: number): string {
  try {
    return readTextFile(encodePath(path), maxConfigBytes)
  } catch (error) {
    throw refusal('read', path, (error as NodeJS.ErrnoException).code, status, error)
  }
}

/**
 * Returns the first word of each line of a file; `#` begins a comment. With `optional`, returns an empty array for a missing file. @throws
 * FILE_REFUSED
 */
export function readNames(path: string, optional = false): string[] {
  try {
    return readText(path, statuses.usage)
      .split('\n')
      .map((line) => line.replace(/#.*/, '').trim().split(/\s+/)[0]!)
      .filter((word) => word !== '')
  } catch (error) {
    if (optional) return []
    throw error
  }
}

/** Returns the configuration files of a directory (*.conf, as in libcgroup 3), sorted by name. @throws FILE_REFUSED */
export function listConfigurations(directory: string, status: number): string[] {
  try {
    return readdirSync(directory)
      .filter((file) => file.endsWith('.conf') && !file.startsWith('.'))
      .sort()
      .map((file) => `${directory}/${file}`)
  } catch (error) {
    throw refusal('read the directory', directory, (error as NodeJS.ErrnoException).code, status, error)
  }
}

/** Writes output to a file. @throws FILE_REFUSED with the given exit status */
export function writeOutput(path: string, text: string, status: number): void {
  try {
    openDocument(path)(text)
  } catch (error) {
    throw refusal('write', path, (error as NodeJS.ErrnoException).code, status, error)
  }
}

function refusal(what: string, path: string, errno: string | undefined, status: number, cause?: unknown) {
  return withStatus(
    status,
    fail(
      'FILE_REFUSED',
      { what, path, errno: errno ?? 'EIO', remedy: 'give an existing file that you can use' },
      cause,
    ),
  )
}
