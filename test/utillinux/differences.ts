// SPDX-License-Identifier: Apache-2.0
// Where unshare and nsenter are not like util-linux's, and why. docs/util-linux.md has the same list, a test holds the two together.
import { spawnSync } from 'node:child_process'

/** Of the real tools here: 2.38, or 0 without them. */
export const version = Number(
  /util-linux (\d+\.\d+)/.exec(spawnSync('unshare', ['--version'], { encoding: 'utf8' }).stdout ?? '')?.[1] ?? 0,
)

export const differences = {
  words: 'what goes to stderr, and the text of --help and --version, are hutch’s own',
  'options of 2.42':
    '2.38 does not know --forward-signals, --mount-binfmt, --load-interp, --map-subids, ranges as INSIDE:OUTSIDE:COUNT, --env, --wdns, --join-cgroup, --keep-caps, --net-socket of nsenter',
  'own maps': 'root needs no line in /etc/subuid for --map-users, as in 2.39 and later: 2.38 asks newuidmap',
  'ids out of range': 'an id below 0 or above 4294967294 is refused; 2.38 takes it for another, or for none',
  'kept user namespace':
    '--user=FILE is refused by the kernel, since the mount is made with the rights of the new namespace; here with the caller’s',
  'killed child': 'unshare --fork ends with 1 when SIGKILL ended its child; here by that signal, as at any other',
  'no first line': 'a script without #! is run by /bin/sh; here it cannot be run, as with hutch run',
  'later options': 'unshare of 2.42 does not know --clear-env and --whitelist-env yet',
  'no namespace': 'nsenter of 2.42 ends with 1 when it enters none; here the program is run, as by 2.38',
  'separate --wdns':
    'for 2.42 the word after -W is the program; here it is the directory, as for 2.38; -WDIR is for both',
  'user parent': 'nsenter --user-parent of 2.42 fails beside a namespace that is not named by a file',
  'not here': '--follow-context of nsenter is refused',
} as const

const older: readonly string[] = ['options of 2.42', 'own maps', 'kept user namespace', 'killed child']
const newer: readonly string[] = ['no namespace', 'separate --wdns']

/** Whether that difference is one from the version here: some are of 2.38 alone, some of 2.42. */
export const isHere = (name: string) => !(version > 2.4 ? older : newer).includes(name)

export type Difference = keyof typeof differences
