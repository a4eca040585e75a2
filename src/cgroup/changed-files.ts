// SPDX-License-Identifier: Apache-2.0
// For who looks at many groups again and again (native/node/follow.c, list-groups.c): what there is, and what has changed.

import { fail } from '../errors/errors.ts'
import { errnoName, native } from '../system/native.ts'
import { encodePath } from '../text/non-utf8.ts'

/**
 * The same files of groups that come and go. Signs of life are looked at each time; the others as long as those change
 * and 8 seconds longer, else every 10 seconds.
 */
export interface Follower {
  /** The slot that the group has from now on. */
  follow(directory: string): number
  unfollow(slot: number): void
  /** Tells each text that differs from that of the last look; undefined is a file that is not there (any more). `full`: all files. */
  look(full: boolean, changed: (slot: number, file: number, text: string | undefined) => void): void
  close(): void
}

/** The first `signs` of the files are the signs of life. */
export function openFollower(files: readonly string[], signs: number): Follower {
  const addon = native()
  const follower = addon.openFollower(files.join('\0'), signs)
  return {
    follow(directory) {
      const slot = addon.follow(follower, encodePath(directory))
      if (slot >= 0) return slot
      throw fail('CGROUP_REFUSED', {
        what: 'follow',
        path: directory,
        errno: errnoName(slot),
        remedy: 'free some memory',
      })
    },
    unfollow: (slot) => addon.unfollow(follower, slot),
    look(full, changed) {
      const bytes = addon.lookAgain(follower, full)
      // one string of all, so that each text is a piece of it and no copy
      const all = bytes.toString('latin1')
      for (let at = 0; at < bytes.length; ) {
        const length = bytes.readInt32LE(at + 8)
        const start = at + 12
        changed(
          bytes.readInt32LE(at),
          bytes.readInt32LE(at + 4),
          length < 0 ? undefined : all.slice(start, start + length),
        )
        at = start + ((Math.max(0, length) + 3) & ~3)
      }
    },
    close: () => addon.closeFollower(follower),
  }
}
