// SPDX-License-Identifier: Apache-2.0
// Reads and writes files in the directory of containers, which only their owner may have written.

import { fail } from '../errors/errors.ts'
import { systemError } from '../system/errors.ts'
import {
  closeSync,
  fileConstants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from '../system/files.ts'
import { randomBytes } from '../system/random.ts'
import { readTextFile } from '../system/text-file.ts'

/** A directory in the root of containers. Its name begins with a dot, as no id of a container does. */
interface KeptFiles {
  name: string
  /** The number of files that are kept. */
  most: number
}

/**
 * Reads a file that this user or root wrote; another user's is refused with EPERM, and a symbolic link with ELOOP.
 *
 * @throws an error of the system call
 */
export function readOwnFile(path: string, maxBytes: number): string {
  const fd = openSync(path, fileConstants.O_RDONLY | fileConstants.O_NOFOLLOW | fileConstants.O_NONBLOCK)
  try {
    const { uid } = fstatSync(fd)
    if (uid !== process.geteuid!() && uid !== 0) throw systemError('open', 'EPERM', -1)
    return readTextFile(fd, maxBytes)
  } finally {
    closeSync(fd)
  }
}

/**
 * Writes a file of the directory ROOT/NAME, which holds the newest `most` files. The file appears whole under its name.
 * Refuses a directory that another user can change: its names could lead elsewhere.
 *
 * @throws FILE_REFUSED, and the errors of system calls
 */
export function keepFile(root: string, { name, most }: KeptFiles, file: string, text: string): void {
  const directory = `${root}/${name}`
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  for (const path of [root, directory]) {
    const stat = lstatSync(path)
    if ((path === directory && !stat.isDirectory()) || stat.uid !== process.geteuid!() || (stat.mode & 0o022) !== 0)
      throw fail('FILE_REFUSED', {
        what: 'keep files of containers in',
        path,
        errno: 'EACCES',
        remedy: 'give a --root that only this user can write',
      })
  }
  const fresh = `${directory}/~${randomBytes(8).toString('hex')}`
  try {
    writeFileSync(fresh, text, { mode: 0o600, flag: 'wx' })
    renameSync(fresh, `${directory}/${file}`)
  } catch (error) {
    rmSync(fresh, { force: true })
    throw error
  }
  removeOldest(directory, most)
}

function removeOldest(directory: string, most: number): void {
  const names = readdirSync(directory) as string[]
  if (names.length <= most) return
  const ages = names.map((name) => ({
    name,
    at: statSync(`${directory}/${name}`, { throwIfNoEntry: false })?.mtimeMs ?? 0,
  }))
  for (const { name } of ages.sort((a, b) => b.at - a.at).slice(most)) rmSync(`${directory}/${name}`, { force: true })
}
