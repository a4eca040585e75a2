// SPDX-License-Identifier: Apache-2.0
// Where hutch's bwrap is known to differ from bubblewrap. docs/bubblewrap.md has the same list.

/** Name → what differs. */
export const differences = {
  words: 'messages on stderr and the text of --help are hutch’s own',
  signals: 'a signal to bwrap ends bwrap, and the program continues; here the program receives the signal',
  'what is left':
    'under bwrap, other processes in the pid namespace continue after the program; here they end with the program',
  'no first line': 'the original runs a script without #! with /bin/sh; here it is an error, as in hutch run',
  numbers: 'bwrap accepts a sign or spaces before a number; here they are an error',
  'older options': '0.8 does not know --argv0, --level-prefix, the overlays and --not-a-security-boundary',
  'older paths':
    '0.8 follows links at the end of a destination and out of the new root, accepts empty paths, and keeps existing links',
  labels: '--exec-label and --file-label are refused, also where SELinux is on',
  'descriptors 40 and 41':
    'hutch uses these numbers itself, so it opens such a descriptor again under another number; a socket cannot be opened again',
  bounds: 'at most 32 filters, and 10 layers of an overlay',
  'tmp-overlay': 'changes are stored in a separate tmpfs, and the overlay is mounted with the option volatile',
} as const

export type Difference = keyof typeof differences
