// SPDX-License-Identifier: Apache-2.0
// The words for what a job's restrictions may have denied its program. Called by words.ts, compile/words.ts and the front ends; pure.
import { optionName } from '../options/names.ts'
import type { Cause, Denier, Figure, Frontend } from './cause.ts'

/** Whether the job's restrictions may be why its program failed by itself: one line points to what they may have denied. */
export function mayBeDenied({ kind, evidence }: Cause): boolean {
  return kind === 'exited' && evidence.some(({ figure }) => figure === 'denied')
}

/** What an option denies, in a word or two. */
const deniedThings: { [D in Denier]: string } = {
  seccomp: 'system calls',
  landlock: 'files',
  root: 'files of the host',
  network: 'the network',
  volume: 'writes to a volume',
}

/** Returns one line for a job that failed by itself: how it ended, and what its restrictions may have denied. */
export function deniedLine(figures: readonly Figure[], end: string): string {
  const denied = figures.flatMap((entry) => (entry.figure === 'denied' ? [deniedThings[entry.by]] : []))
  const things = [...new Set(denied)]
  const list = things.length > 1 ? `${things.slice(0, -1).join(', ')} or ${things.at(-1)}` : things[0]
  return `hutch: ${end}; its restrictions may have denied ${list}\n`
}

/** What an option denies, and the error that the program sees. */
export const denials: { [D in Denier]: (value: string, frontend: Frontend, owner?: number) => string } = {
  seccomp: (value) => `a system call that ${value} refused (EPERM or ENOSYS); refused calls are not counted`,
  landlock: (_, frontend) => `a file that ${optionName('landlock', frontend)} does not allow (EACCES)`,
  root: () => 'a file of the host that does not exist inside (ENOENT)',
  volume: (value, frontend, owner) =>
    owner === undefined
      ? `a write below ${value} (EACCES): it is only allowed with ${optionName('seccomp', frontend)} strict and without CAP_SETFCAP`
      : `a write below ${value} (EACCES): it belongs to user ${owner}; run as that user with ${optionName('user', frontend)} ${owner}`,
  network: () => 'no network: the job has loopback only (ENETUNREACH)',
}
