// SPDX-License-Identifier: Apache-2.0
// An end of known cause: what it is made of, and short ways to write one. Used by the tables beside it and by ends.test.ts.
import type { RunOptions } from '../../src/index.ts'
import { buildDirectory } from '../../src/system/native.ts'
import type { CauseKind } from '../../src/verdict/cause.ts'
import type { Need } from '../support/requires.ts'

export interface End {
  /** How it is made: the program and its arguments. */
  command: readonly [file: string, ...args: string[]]
  options: RunOptions
  kind: CauseKind
  /** The kind of something that happened, but did not end the job, or that held it up. */
  side?: CauseKind
  /** Another end that is as true: which of the two comes first depends on the kernel or on the speed of the machine. */
  or?: readonly [kind: CauseKind, side: CauseKind]
  /** It takes a minute in a VM: `npm run test:kernels` alone tries it. */
  long?: true
  needs?: Need | readonly Need[]
  /** Done to the job once it waits: a signal by its caller, a stop, a note as systemd-oomd leaves it and SIGKILL, or the kernel's choice among all processes. */
  act?: NodeJS.Signals | 'stop' | 'oomd' | 'choose'
  /** Once its process is gone, this user asks hutch why. */
  why?: 'root' | 'nobody'
  /** The remedy, pasted into the command line as it is, makes it exit with status 0, in so many rounds at most. */
  rounds?: number
}

export const sh = (script: string) => ['sh', '-c', script] as const
export const python = (script: string) => ['/usr/bin/python3', '-c', script] as const
export const node = (script: string) => [process.execPath, '-e', script] as const
export const perl = (script: string) => ['perl', '-e', script] as const
export const hog = `${buildDirectory}/bin/hutch hog`
export const none: RunOptions = { limits: 'none' }
export const tight: RunOptions = { limits: { memory: '40M', swap: 0 } }
export const rows = (kind: CauseKind, list: readonly Omit<End, 'kind'>[]): End[] =>
  list.map((one) => ({ kind, ...one }))

/** A script that works in a directory of its own, which it removes. */
export const within = (script: string) =>
  sh(`d=$(mktemp -d /var/tmp/hutch-test-XXXXXX); cd "$d"; ${script}; s=$?; rm -r "$d"; exit $s`)
