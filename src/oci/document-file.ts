// SPDX-License-Identifier: Apache-2.0
// Reads the JSON documents that callers name: config.json, the process of exec, and the resources of update.
import { fail } from '../errors/errors.ts'
import { readTextFile } from '../system/text-file.ts'

/** Maximum length of a document in bytes. */
const maxBytes = 16 << 20

/** Returns the text of a file, or of stdin for `-`. @throws FILE_REFUSED */
export function readDocumentFile(path: string, remedy: string): string {
  try {
    return readTextFile(path === '-' ? 0 : path, maxBytes)
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code ?? 'EIO'
    throw fail('FILE_REFUSED', { what: 'read', path, errno, remedy }, error)
  }
}
