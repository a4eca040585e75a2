// SPDX-License-Identifier: Apache-2.0
// The directory of the state of all containers, and which paths a state can have. The default depends only on what callers pass to every command.

import { fail } from '../errors/errors.ts'
import { readFileSync } from '../system/files.ts'
import { isOdd } from '../text/non-utf8.ts'

/** What the directory follows from. `ids` is the text of /proc/self/uid_map. */
interface RootFacts {
  env: { [name: string]: string | undefined }
  /** Effective user id. */
  uid: number
  ids: string
}

/**
 * Returns the directory: /run/hutch-oci for root, and one below XDG_RUNTIME_DIR for other users. Root of a user namespace counts as another
 * user, unless USER says root.
 */
export function defaultRoot({ env, uid, ids }: RootFacts): string {
  const isReal = uid === 0 && (isInitial(ids) || env.USER === 'root')
  return env.XDG_RUNTIME_DIR && !isReal ? `${env.XDG_RUNTIME_DIR}/hutch-oci` : '/run/hutch-oci'
}

/** Returns true for the id map of the initial user namespace, which maps all ids to themselves. */
function isInitial(ids: string): boolean {
  return ids.trim() === '' || /^\s*0\s+0\s+4294967295\s*$/.test(ids)
}

/**
 * Returns a path that becomes part of a container's state. It must be UTF-8, because the state and config.json are JSON.
 *
 * @throws OPTION_INVALID
 */
export function textPath(name: string, path: string): string {
  if (!isOdd(path)) return path
  throw fail('OPTION_INVALID', { name, value: path, why: 'it is not UTF-8', accepted: 'a path that is UTF-8' })
}

/** Returns the default directory of this process. */
export function readDefaultRoot(): string {
  return defaultRoot({ env: process.env, uid: process.geteuid!(), ids: readIdMap() })
}

function readIdMap(): string {
  try {
    return readFileSync('/proc/self/uid_map', 'utf8')
  } catch {
    return ''
  }
}
