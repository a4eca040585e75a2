// SPDX-License-Identifier: Apache-2.0
// Where hutch's bwrap is known to differ from bubblewrap. docs/bubblewrap.md has the same list.

/** Name → what differs. */
export const differences = {
  words: 'what goes to stderr, and the text of --help, are hutch’s own',
  signals: 'a signal to bwrap ends it and leaves the program running; here the program gets it',
  'what is left': 'what a program left running in its pid namespace goes on under bwrap; here it ends with the program',
  'no first line': 'a script without #! is run by /bin/sh; here it cannot be run, as with hutch run',
  numbers: 'a sign or blanks before a number are taken by bwrap; here they are an error',
  'older options': '0.8 does not know --argv0, --level-prefix, the overlays and --not-a-security-boundary',
  'older paths':
    '0.8 follows links at the end of a destination and out of the new root, accepts empty paths, and keeps existing links',
  labels: '--exec-label and --file-label are refused, also where SELinux is on',
  'descriptors 40 and 41': 'hutch uses these itself: what an option names is opened again, a socket cannot be',
  bounds: 'at most 32 filters, and 10 layers of an overlay',
  'tmp-overlay': 'changes are kept in a tmpfs of their own, and without waiting for it (volatile)',
} as const

export type Difference = keyof typeof differences
