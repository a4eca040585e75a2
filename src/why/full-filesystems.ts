// SPDX-License-Identifier: Apache-2.0
// Explains the full file systems that a process can see. Pure.
import type { Fullness } from '../host/file-system.ts'
import { quote, shellWord } from '../text/quote.ts'
import { formatSize } from '../text/units.ts'
import type { WhyCause } from './explanation.ts'

/** Explains that writes to a full file system fail. */
export function diskCauses(name: string, pid: number, full: readonly Fullness[]): WhyCause[] {
  return full.map(({ directory, type, size, free, inodes, freeInodes }) => {
    const names = free >= 65_536 && freeInodes === 0
    const mib = Math.ceil((size * 2) / 2 ** 20)
    return {
      kind: 'space',
      confidence: 'certain',
      cause: 'disk-full',
      headline: `${quote(directory)} is full as ${name} sees it: writes there fail with ENOSPC`,
      evidence: [
        [type, names ? `${inodes} inodes, none free` : `${formatSize(size)}   ${formatSize(free)} free`],
        ['seen by', `process ${pid}`],
      ],
      remedy:
        type === 'tmpfs'
          ? `make the file system larger: --tmpfs ${shellWord(`${directory}:size=${mib}M`)}, or mount -o remount,size=${mib}M ${shellWord(directory)} inside; its files count as memory of the group`
          : 'remove files there, or let the program write elsewhere',
    }
  })
}
