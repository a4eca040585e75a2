// SPDX-License-Identifier: Apache-2.0
// The common part of unshare and nsenter: parses values, reads the caller's surroundings, and runs the command.

import { fail } from '../../errors/errors.ts'
import type { OptionNames } from '../../errors/remedy-text.ts'
import { readInherited } from '../../host/inherited-fds.ts'
import { readCallersOpenFiles } from '../../host/limits.ts'
import { readIds } from '../../host/passwd.ts'
import type { NamespaceKind } from '../../namespaces/namespace.ts'
import type { Program } from '../../ops/ops.ts'
import type { Launch } from '../../plan/unshare.ts'
import { readEnvironment } from '../../run/environment.ts'
import { endAs, runProgram, type Signals } from '../../run/ungrouped.ts'
import { systemConstants } from '../../system/constants.ts'
import type { OptionTable } from '../getopt.ts'
import { complain } from '../tool.ts'

/** Exit status for an error of unshare or nsenter itself. */
export const failure = 1

/** Option letters of namespaces, which are the same in unshare and nsenter. */
export const kindLetters: readonly (readonly [letter: string, kind: NamespaceKind, words: string])[] = [
  ['m', 'mount', 'mount'],
  ['u', 'uts', 'UTS'],
  ['i', 'ipc', 'IPC'],
  ['n', 'net', 'network'],
  ['p', 'pid', 'pid'],
  ['C', 'cgroup', 'cgroup'],
  ['U', 'user', 'user'],
  ['T', 'time', 'time'],
]

/** Returns the options of unshare and nsenter that name namespaces. */
export function kindOptions(verb: string, optional: true | 'long'): OptionTable {
  return Object.fromEntries(
    kindLetters.map(([letter, kind, words]) => [
      letter,
      { long: [kind], value: 'FILE', optional, help: `${verb} ${words} namespace` },
    ]),
  )
}

/** Returns the launch of a command with this process's environment and descriptors. */
export function readLaunch(words: string[], env = readEnvironment()): Launch {
  const openFiles = readCallersOpenFiles()
  const shell = process.env.SHELL || '/bin/sh'
  return { words, shell, env, descriptors: readInherited(), ...(openFiles && { openFiles }) }
}

/** Runs the program and returns its exit status; 127 if the command is not found, 126 if it cannot be executed. */
export async function launchAs(
  name: string,
  program: Program,
  signals: Signals,
  toolOptions: OptionNames['toolOptions'],
): Promise<number> {
  const ending = await runProgram(program, signals)
  if ('error' in ending) {
    await complain(name, ending.error, { toolOptions })
    return ending.notFound ? 127 : 126
  }
  return endAs(ending)
}

/** Parses the number of a user or group. @throws OPTION_INVALID */
export function parseId(name: string, text: string): number {
  if (/^\d{1,10}$/.test(text) && Number(text) < 0xffff_ffff) return Number(text)
  throw fail('OPTION_INVALID', { name, value: text, why: 'not an id', accepted: 'a number from 0 to 4294967294' })
}

/** Parses a user or group, by name or number. @throws USER_UNKNOWN, OPTION_INVALID */
export function parseIdOrName(name: string, text: string, kind: 'user' | 'group'): number {
  if (/^\d/.test(text)) return parseId(name, text)
  const ids = readIds()
  const id = kind === 'user' ? ids.users.get(text) : ids.groups.get(text)?.gid
  if (id === undefined) throw fail('USER_UNKNOWN', { name: text, kind, origin: name })
  return id
}

/** Parses a signal such as `TERM` or `SIGTERM`, in upper or lower case. @throws OPTION_INVALID */
export function parseSignal(name: string, text: string): number {
  const word = text.toUpperCase()
  const signals: { [name: string]: number } = systemConstants.signals
  const full = word.startsWith('SIG') ? word : `SIG${word}`
  if (Object.hasOwn(signals, full)) return signals[full]!
  throw fail('OPTION_INVALID', {
    name,
    value: text,
    why: 'not a signal',
    accepted: 'a name such as SIGTERM or KILL',
  })
}

/** Parses an option whose value must be one of the given words. @throws OPTION_INVALID */
export function parseWord<const W extends string>(name: string, text: string, words: readonly W[]): W {
  const word = words.find((one) => one === text)
  if (word === undefined) throw fail('OPTION_INVALID', { name, value: text, accepted: words.join(', ') })
  return word
}
