// SPDX-License-Identifier: Apache-2.0
// Describes what a job's restrictions may have denied its program. Called by words.ts, compile/words.ts and the front
// ends; pure.
import { optionName } from '../options/names.ts'
import type { Cause, Denier, Figure, Frontend } from './cause.ts'

/**
 * Returns true if the program failed by itself and the job's restrictions may be the reason. One line of output then
 * mentions them.
 */
export function mayBeDenied({ kind, evidence }: Cause): boolean {
  return kind === 'exited' && evidence.some(({ figure }) => figure === 'denied')
}

/** What each option denies, in one or two words. */
const deniedThings: { [D in Denier]: string } = {
  seccomp: 'system calls',
  landlock: 'files',
  root: 'files of the host',
  network: 'the network',
  volume: 'writes to a volume',
}

/** Returns one line for a job whose program failed by itself: how it ended, and what the restrictions may have denied. */
export function deniedLine(figures: readonly Figure[], end: string): string {
  const denied = figures.flatMap((entry) => (entry.figure === 'denied' ? [deniedThings[entry.by]] : []))
  const things = [...new Set(denied)]
  const list = things.length > 1 ? `${things.slice(0, -1).join(', ')} or ${things.at(-1)}` : things[0]
  return `hutch: ${end}; its restrictions may have denied ${list}\n`
}

/** What each option denies, and the errno that the program gets. */
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
