// SPDX-License-Identifier: Apache-2.0
// Finds the type of the file system that holds a path: proc_pid_mountinfo(5).

import { readFileSync, realpathSync } from '../system/files.ts'
import { isBelow } from '../text/paths.ts'

/** Returns the type, such as "ext4". Returns '' if it is unknown. */
export function findFileSystem(path: string): string {
  try {
    return fileSystemIn(readFileSync('/proc/self/mountinfo', 'utf8'), realpathSync(path))
  } catch {
    return ''
  }
}

/** Returns the mount nearest to the path. If several are stacked on one directory, returns the last. */
function fileSystemIn(mountinfo: string, path: string): string {
  let found = { target: '', type: '' }
  for (const line of mountinfo.split('\n')) {
    const [, target = '', type = ''] = /^\d+ \d+ \S+ \S+ (\S+) .* - (\S+) /.exec(line) ?? []
    const plain = target.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
    if (isBelow(path, plain) && plain.length >= found.target.length) found = { target: plain, type }
  }
  return found.type
}
