// SPDX-License-Identifier: Apache-2.0
// What a standard stream gives beside its bytes; set-user-ID modes; and notices of what others do.
import { constants } from 'node:fs'
import type { Attempt } from './attempt.ts'

const { O_DIRECTORY, O_RDONLY } = constants
const O_PATH = 0o10000000
const directory = { path: '$directory', flags: O_RDONLY | O_DIRECTORY }
const file = { path: '$input', flags: O_RDONLY }

/** hutch refuses the start: no stream of a root of its own is a directory, or opened with O_PATH. */
const notStarted = /^not started: /

const byOwner = 'root owns the file, and was handed it: use a pipe, or --user'
const rootOwns = { rootfs: byOwner, unfiltered: byOwner, strict: byOwner }

const setIdCalls = [
  'chmod',
  'fchmod',
  'fchmodat',
  'open',
  'creat',
  'mkdir',
  'mknod',
  'openat',
  'openat2',
  'mkdirat',
  'mknodat',
  'tmpfile',
]
const ownImage = 'the image is of root, who may leave there what it likes: mount it nosuid outside'

export const streams: Attempt[] = [
  {
    what: 'above a directory that is standard input',
    words: 'above 0',
    stdin: directory,
    ends: notStarted,
    control: 'outside',
  },
  {
    what: 'into a directory that is standard input (fchdir)',
    words: 'enter 0',
    stdin: { ...directory, flags: O_PATH },
    ends: notStarted,
    control: 'outside',
  },
  {
    what: 'a directory that is standard input listed',
    words: 'list 0',
    stdin: directory,
    ends: notStarted,
    control: 'outside',
  },
  {
    what: 'notices of a directory that is standard input (F_NOTIFY)',
    words: 'notify 0',
    stdin: directory,
    ends: notStarted,
    control: 'outside',
  },
  {
    what: 'a file opened from an O_PATH descriptor',
    words: 'reopen-path',
    stdin: { ...file, flags: O_PATH },
    ends: notStarted,
    control: 'outside',
  },
  {
    what: 'standard input opened again for writing',
    words: 'reopen-write',
    stdin: file,
    control: 'outside',
    open: rootOwns,
  },
  {
    what: 'standard input truncated by its name in /proc',
    words: 'truncate-stream',
    stdin: file,
    control: 'outside',
    open: rootOwns,
  },
  {
    what: 'the mode of the file that is standard input',
    words: 'stream-mode 0',
    stdin: file,
    control: 'outside',
    open: rootOwns,
  },
  {
    what: 'the owner of the file that is standard input',
    words: 'stream-owner 0',
    stdin: file,
    control: 'outside',
    open: rootOwns,
  },
  {
    what: 'the times of the file that is standard input',
    words: 'stream-times 0',
    stdin: file,
    control: 'outside',
    open: rootOwns,
  },
  {
    what: 'an attribute of the file that is standard input',
    words: 'stream-attribute 0',
    stdin: file,
    control: 'outside',
  },
  {
    what: 'a lease on the file that is standard input',
    words: 'lease 0',
    stdin: file,
    control: 'outside',
  },
  {
    what: 'flags of the file system on standard input',
    words: 'stream-flags 0',
    stdin: file,
    control: 'outside',
    open: rootOwns,
  },
  ...setIdCalls.map(
    (call): Attempt => ({
      what: `a set-user-ID or set-group-ID file left by ${call}`,
      words: `set-id ${call} /tmp/hutch-test-set-id`,
      control: 'outside',
      open: { rootfs: ownImage, unfiltered: ownImage },
      // overlayfs before Linux 6.3 makes no files without a name
      ...(call === 'tmpfile' && { absent: 'EOPNOTSUPP' }),
    }),
  ),
  {
    what: 'events that wait for an answer (fanotify)',
    words: 'permission-events',
    control: 'outside',
    absent: 'ENOSYS',
  },
  { what: 'events of a whole mount (fanotify)', words: 'mount-events', control: 'outside', absent: 'ENOSYS' },
]
