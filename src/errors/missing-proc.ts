// SPDX-License-Identifier: Apache-2.0
// Explains errors of a host without /proc. Loaded only for errors that nothing else explains. Pure.
import { fail } from './errors.ts'

/** Returns HOST_UNSUPPORTED for an error about a file that always exists in a mounted /proc, and any other error as it is. */
export function explainMissingProc(error: unknown): unknown {
  const { code, path, message } = Object(error) as Partial<NodeJS.ErrnoException>
  if (code !== 'ENOENT' || !/^\/proc(\/self\/|\/?$)/.test(String(path))) return error
  return fail('HOST_UNSUPPORTED', { why: `/proc cannot be read: ${message}` }, error)
}
