// SPDX-License-Identifier: Apache-2.0
// Reads the same files of many groups repeatedly, and reports only the changes (native/node/follow.c, list-groups.c). Called by monitor/.

import { fail } from '../errors/errors.ts'
import { errnoName, native } from '../system/native.ts'
import { encodePath } from '../text/non-utf8.ts'

/**
 * A reader of the same files of groups that come and go. Files that change with every activity of a group are read each time. The other
 * files are read while those change and for 8 seconds after, otherwise every 10 seconds.
 */
export interface Follower {
  /** Adds a group and returns its slot. */
  follow(directory: string): number
  unfollow(slot: number): void
  /**
   * Calls `changed` with each text that differs from the previous call; undefined means that the file is missing. With `full`, reads all
   * files.
   */
  look(full: boolean, changed: (slot: number, file: number, text: string | undefined) => void): void
  close(): void
}

/** Opens a follower of these files. The first `signs` of them are those that change with every activity of a group. */
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
      // decode all bytes once: slices of the string need no copy
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
