// SPDX-License-Identifier: Apache-2.0
// Where hutch's bwrap is known to differ from bubblewrap. docs/bubblewrap.md has the same list.

/** Name → what differs. */
export const differences = {
  words: 'messages on stderr and the text of --help are hutch’s own',
  signals:
    "a signal to bubblewrap's bwrap ends only bwrap, and the program continues; with hutch the program receives the signal",
  'what is left':
    'under bubblewrap, other processes in the pid namespace continue after the program; under hutch they end with the program',
  'no first line': 'bubblewrap runs a script without #! with /bin/sh; in hutch bwrap this is an error, as in hutch run',
  numbers: 'bubblewrap accepts a sign or spaces before a number; in hutch bwrap they are an error',
  'older options':
    'bubblewrap 0.8 does not know --argv0, --level-prefix, the overlays and --not-a-security-boundary; hutch has them, as 0.13 does',
  'older paths':
    'bubblewrap 0.8 follows links at the end of a destination and out of the new root, accepts empty paths, and keeps existing links. hutch follows 0.13',
  labels: 'hutch refuses --exec-label and --file-label, even if SELinux is enabled',
  'descriptors 40 and 41':
    "hutch uses descriptors 40 and 41 itself, so it opens the caller's descriptor again under another number; a socket cannot be opened again",
  bounds: 'hutch accepts at most 32 system call filters, and 10 layers of an overlay',
  'tmp-overlay':
    'changes to a --tmp-overlay are stored in a separate tmpfs, and the overlay is mounted with the option volatile',
} as const

export type Difference = keyof typeof differences
