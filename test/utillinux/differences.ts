// SPDX-License-Identifier: Apache-2.0
// Where unshare and nsenter are not like util-linux's, and why. docs/util-linux.md has the same list, a test holds the two together.
import { spawnSync } from 'node:child_process'

/** Of the real tools here: 2.38, or 0 without them. */
export const version = Number(
  /util-linux (\d+\.\d+)/.exec(spawnSync('unshare', ['--version'], { encoding: 'utf8' }).stdout ?? '')?.[1] ?? 0,
)

export const differences = {
  words: 'messages on stderr and the text of --help and --version are hutch’s own',
  'options of 2.42':
    'unshare and nsenter 2.38 do not know --forward-signals, --mount-binfmt, --load-interp, --map-subids, ranges as INSIDE:OUTSIDE:COUNT, --env, --wdns, --join-cgroup, --keep-caps, --net-socket of nsenter',
  'own maps':
    'root needs no line in /etc/subuid for --map-users, as in util-linux 2.39 and later; 2.38 calls newuidmap',
  'ids out of range':
    'in hutch an id below 0 or above 4294967294 is an error; util-linux 2.38 converts it to another id or ignores it',
  'kept user namespace':
    "with --user=FILE, util-linux's unshare mounts with the rights of the new namespace, which the kernel refuses; hutch mounts with the caller’s rights",
  'killed child':
    "if SIGKILL ends its child, util-linux's unshare --fork ends with status 1; hutch ends by SIGKILL, as by any other signal",
  'no first line':
    'unshare and nsenter of util-linux run a script without #! with /bin/sh; in hutch this is an error, as in hutch run',
  'later options': 'unshare of util-linux 2.42 does not know --clear-env and --whitelist-env yet; hutch has them',
  'no namespace':
    'nsenter of util-linux 2.42 ends with status 1 if no namespace is given; hutch runs the program, as 2.38 does',
  'separate --wdns':
    'nsenter 2.42 takes the word after -W as the program; in hutch it is the directory, as in 2.38; both accept -WDIR',
  'user parent':
    "nsenter --user-parent of util-linux 2.42 fails if another namespace is given without a file; hutch's accepts it",
  'not here': '--follow-context of nsenter is refused',
} as const

const older: readonly string[] = ['options of 2.42', 'own maps', 'kept user namespace', 'killed child']
const newer: readonly string[] = ['no namespace', 'separate --wdns']

/** Whether that difference is one from the version here: some are of 2.38 alone, some of 2.42. */
export const isHere = (name: string) => !(version > 2.4 ? older : newer).includes(name)

export type Difference = keyof typeof differences
