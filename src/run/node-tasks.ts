// SPDX-License-Identifier: Apache-2.0
// Checks whether a group allows enough tasks for the threads of a Node program. With too few, Node hangs before it runs
// a script. Called by exec-in-group.ts and the command line; reads files.

import { fail } from '../errors/errors.ts'
import type { Spec } from '../options/spec.ts'
import { closeSync, openSync, readdirSync, readFileSync, readSync, realpathSync } from '../system/files.ts'
import { basename, dirname } from '../system/paths.ts'
import { encodePath } from '../text/non-utf8.ts'

/** Number of threads that Node needs to start; with fewer tasks, Node waits forever. Measured with Node 20. */
const minNodeTasks = 7
/** Number of threads of Node, including its thread pool for reading files. */
const defaultNodeTasks = 11

/**
 * Returns true if the command is node, or a script that node interprets, such as hutch. Follows symbolic links. Returns
 * false if the file cannot be read.
 */
function startsNode(command: string, searchPath = process.env.PATH ?? ''): boolean {
  const candidates = command.includes('/') ? [command] : searchPath.split(':').map((at) => `${at || '.'}/${command}`)
  for (const path of candidates)
    try {
      const program = realpathSync(path)
      return (
        isNode(basename(program)) ||
        firstLine(program)
          .split(/[\s/]+/)
          .some(isNode)
      )
    } catch {
      // try the next directory
    }
  return false
}

function isNode(name: string): boolean {
  return name === 'node' || name === 'nodejs'
}

/** Returns the rest of a script's first line after `#!`. Returns '' if the file is not a script. */
function firstLine(path: string): string {
  const fd = openSync(path, 'r')
  try {
    const buffer = Buffer.alloc(256)
    const text = buffer.toString('latin1', 0, readSync(fd, buffer, 0, buffer.length, 0))
    return text.startsWith('#!') ? text.split('\n', 1)[0]!.slice(2) : ''
  } finally {
    closeSync(fd)
  }
}

/** Refuses to execute a Node program in groups that allow too few further tasks. @throws TASKS_TOO_FEW */
export function checkTasksForNode(directories: readonly string[], command: string): void {
  const fewest = directories.flatMap(readTasks).sort((a, b) => a.left - b.left)[0]
  if (!fewest || fewest.left >= minNodeTasks || !startsNode(command)) return
  const { group, max, current, left } = fewest
  throw fail('TASKS_TOO_FEW', { command, group, max, current, left, needed: defaultNodeTasks })
}

/**
 * Returns a warning if --pids is too low for a Node program. This is not an error, because in its own root directory
 * the command can be another program.
 */
export function warnOfFewTasks({ limits, command, root, env }: Spec): string | undefined {
  const max = limits.findLast(({ file }) => file === 'pids.max')?.value
  if (max === undefined || root || !(Number(max) < minNodeTasks) || !startsNode(command, env.PATH)) return undefined
  return `warning: ${JSON.stringify(command)} is a Node program, and --pids is ${max}: Node may hang at its start with fewer than ${minNodeTasks} tasks, and usually needs ${defaultNodeTasks}`
}

/**
 * Returns those of the group and its ancestors that have a pids.max. `left` includes the tasks of this process, which
 * end when it executes the command.
 */
function readTasks(directory: string): { group: string; max: number; current: number; left: number }[] {
  const found: { group: string; max: number; current: number }[] = []
  let top = directory
  for (let group = directory; read(group, 'cgroup.procs') !== undefined; group = dirname(group)) {
    top = group
    const max = Number(read(group, 'pids.max') ?? Number.NaN)
    if (max >= 0) found.push({ group, max, current: Number(read(group, 'pids.current') ?? 0) })
  }
  if (found.length === 0) return []
  const own = readFileSync('/proc/self/cgroup', 'latin1')
  const home = (/^\d+:(?:[^:]*,)?pids(?:,[^:]*)?:(.*)$/m.exec(own) ?? /^0::(.*)$/m.exec(own))?.[1] ?? '/'
  const threads = readdirSync('/proc/self/task').length
  return found.map((level) => {
    const isOwn = `${home}/`.startsWith(`${level.group.slice(top.length)}/`)
    return { ...level, left: level.max - level.current + (isOwn ? threads : 0) }
  })
}

function read(group: string, file: string): string | undefined {
  try {
    return readFileSync(encodePath(`${group}/${file}`), 'latin1')
  } catch {
    return undefined
  }
}
