// SPDX-License-Identifier: Apache-2.0
// Finds the home directory of a container's user. Pure.
import type { Root } from '../../mounts/root.ts'
import { isBelow } from '../../text/paths.ts'

/** Where a file of a container is on this host: a root directory, and the path of the file in it. */
export interface FilePlace {
  root: string
  path: string
}

/** Returns where a file of a container is before its root exists. Returns undefined if a new file system covers the file. */
export function placeOfFile({ directory = '/', mounts }: Root, path: string): FilePlace | undefined {
  const mount = mounts.findLast(({ target, remounts }) => !remounts && isBelow(path, target))
  if (!mount) return { root: directory, path }
  const { type, source, target } = mount
  if (type !== 'bind') return undefined
  if (path === target) return { root: '/', path: source }
  return { root: source, path: target === '/' ? path : path.slice(target.length) }
}

/** Returns the environment with HOME, if it is absent or empty. `passwd` is the text of the container's /etc/passwd. */
export function addHome<T>(env: { [name: string]: T | string }, passwd: string, uid: number) {
  if (env.HOME) return env
  const entry = passwd
    .split('\n')
    .map((line) => line.split(':'))
    .find((fields) => fields.length > 5 && fields[2] === String(uid))
  return { ...env, HOME: entry?.[5] || '/' }
}
