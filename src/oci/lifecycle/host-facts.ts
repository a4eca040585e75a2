// SPDX-License-Identifier: Apache-2.0
// Reads the facts about the host, and about a container's root, that a configuration is converted with.

import { readHost } from '../../host/host.ts'
import { existsSync, fstatSync, readFileSync, readSync } from '../../system/files.ts'
import { closeDescriptor, native } from '../../system/native.ts'
import { addHome, type FilePlace } from '../config/home.ts'
import type { HostSecurity } from '../config/process.ts'

/** Reads which security modules are active. */
export function readSecurity(): HostSecurity {
  return {
    kernel: readHost().kernel,
    hasAppArmor: readText('/sys/module/apparmor/parameters/enabled').startsWith('Y'),
    hasSelinux: existsSync('/sys/fs/selinux/enforce'),
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}

/** Maximum length of a container's /etc/passwd. */
const passwdBytes = 1 << 20

/** Where the names of users are in a container. */
export const passwdFile = '/etc/passwd'

/** Adds HOME to the environment of a user of a container, from the container's /etc/passwd, unless it is set. */
export function withHome<T>(env: { [name: string]: T | string }, passwd: FilePlace | undefined, uid: number) {
  return env.HOME ? env : addHome(env, passwd ? readInRoot(passwd) : '', uid)
}

/** Returns the text of a regular file of a container; '' if it is another kind of file, or too long. */
function readInRoot({ root, path }: FilePlace): string {
  const fd = native().openInRoot(root, path)
  if (fd < 0) return ''
  try {
    const found = fstatSync(fd)
    if (!found.isFile() || found.size > passwdBytes) return ''
    const bytes = Buffer.alloc(found.size)
    return bytes.toString('utf8', 0, readSync(fd, bytes))
  } catch {
    return ''
  } finally {
    closeDescriptor(fd)
  }
}
