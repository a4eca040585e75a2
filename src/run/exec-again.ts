// SPDX-License-Identifier: Apache-2.0
// Explains why this process could not execute a command, by starting the command again through hutch-init. Loaded by
// exec-in-group.ts after the failure.
import type { HutchError } from '../errors/errors.ts'
import { readInherited } from '../host/inherited-fds.ts'
import { readCallersOpenFiles } from '../host/limits.ts'
import { execOp, restoreOps, startOps, waitOp } from '../plan/unshare.ts'
import { readEnvironment } from './environment.ts'
import { execError, explainPlainExec } from './exec-facts.ts'
import { endAs, runProgram } from './ungrouped.ts'

/**
 * Runs the command through hutch-init, which examines the program file if exec fails. If exec succeeds this time, this
 * process ends with the command's status.
 */
export async function explainExec(argv: readonly string[], errno: string): Promise<HutchError> {
  const openFiles = readCallersOpenFiles()
  const launch = {
    words: [...argv],
    shell: '',
    env: readEnvironment(),
    descriptors: readInherited(),
    ...(openFiles && { openFiles }),
  }
  try {
    const ending = await runProgram(
      { outer: [...startOps(launch), waitOp()], inner: [...restoreOps(launch), execOp(launch)] },
      'leave',
    )
    if (!('error' in ending)) process.exit(endAs(ending))
    if (ending.error.errno === errno) return ending.error
  } catch {
    // ignored: hutch-init could not be started, so only the errno is explained
  }
  const failure = explainPlainExec({
    command: argv[0]!,
    errno,
    looks: [],
    searchPath: process.env.PATH ?? '',
    frontend: 'tool',
    ownRoot: false,
    filtered: false,
  })
  return execError(failure, argv[0]!, errno)
}
