// SPDX-License-Identifier: Apache-2.0
// Lists the processes of a container: of its groups and of all groups below them, or without groups, of its pid namespace.

import { isRunning, listRelated } from '../container/process.ts'
import { containerProcesses } from '../container/status.ts'
import { readContainer } from '../container/store.ts'
import { fail } from '../errors/errors.ts'
import { spawnSync } from '../system/processes.ts'
import { print } from '../system/stdout.ts'
import type { OciCallOf } from './arguments.ts'
import type { OciContext } from './context.ts'
import type { OciDetails, OciState } from './lifecycle/details.ts'

const defaultOptions = ['-ef']

/**
 * Returns the heading of ps(1) and those lines whose PID is in the list.
 *
 * @throws OPTION_INVALID if the options hide the column PID
 */
export function selectLines(output: string, pids: readonly number[], options: readonly string[]): string {
  const [heading = '', ...lines] = output.trimEnd().split('\n')
  const column = heading.trim().split(/\s+/).indexOf('PID')
  if (column < 0)
    throw fail('OPTION_INVALID', {
      name: 'PS-OPTION',
      value: options.join(' '),
      why: 'the output of ps has no column PID',
      accepted: 'options with the column, such as -o pid,comm',
    })
  const wanted = new Set(pids)
  const own = lines.filter((line) => wanted.has(Number(line.trim().split(/\s+/)[column])))
  return [heading, ...own].map((line) => `${line}\n`).join('')
}

/** A user without rights in all hierarchies has containers without groups. Their first process leads to the others. */
function processesOf({ groups, process, details }: OciState): number[] {
  if (groups.length > 0) return containerProcesses({ groups })
  return process && isRunning(process) ? listRelated(process.pid, details.ownsPids) : []
}

export function run({ id, options, words }: OciCallOf<'ps'>, { root }: OciContext): number {
  const state = readContainer<OciDetails>(root, id)
  const pids = processesOf(state)
  if (options.format === 'json') {
    print(`${JSON.stringify(pids)}\n`)
    return 0
  }
  const ps = words.length > 0 ? words : defaultOptions
  const { status: ended, stdout, stderr, error } = spawnSync('ps', ps, { encoding: 'utf8' })
  if (ended !== 0) {
    const errno = (error as NodeJS.ErrnoException | undefined)?.code ?? 'EINVAL'
    const remedy = error ? 'install ps(1), or use --format json' : stderr.trim() || 'see ps --help for its options'
    throw fail('FILE_REFUSED', { what: 'run', path: `ps ${ps.join(' ')}`, errno, remedy })
  }
  print(selectLines(stdout, pids, ps))
  return 0
}
