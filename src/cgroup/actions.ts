// SPDX-License-Identifier: Apache-2.0
// Actions of `hutch top` and the dashboard on a group. Each returns one line that says what was done, or why not.

import { fail, HutchError, nameOptions } from '../errors/errors.ts'
import type { OptionNames } from '../errors/remedy-text.ts'
import type { Host } from '../host/host.ts'
import { parseCpus } from '../text/units.ts'
import { cpuPeriodUsec, formatCpuMax } from './cpu.ts'
import { freezeGroup, killGroup } from './freeze-kill.ts'
import { openGroup } from './group.ts'
import { assignFiles } from './set-file.ts'

/** The result of an action on a group: whether it succeeded, and the line to show. */
export interface ActionResult {
  done: boolean
  said: string
}

/** Limits that can be changed, by the key to press: the kernel file, and what the user may type. */
export const limits: { [key: string]: { file: string; accepted: string } } = {
  m: { file: 'memory.max', accepted: '50M, max' },
  h: { file: 'memory.high', accepted: '50M, max' },
  s: { file: 'memory.swap.max', accepted: '0, 50M, max' },
  p: { file: 'pids.max', accepted: '100, max' },
  c: { file: 'cpu.max', accepted: 'CPUs such as 0.5, max' },
}

/**
 * Returns true if this process is in the group in any hierarchy. Stopping or killing the group would then also stop or kill this process.
 */
export function holdsMyself(host: Host, path: string): boolean {
  return [host.unified, ...Object.values(host.v1)].some(
    (hierarchy) => hierarchy && (path === '/' || `${hierarchy.own}/`.startsWith(`${hierarchy.mount}${path}/`)),
  )
}

async function freeze(path: string, frozen: boolean): Promise<string> {
  await freezeGroup(openGroup(path), frozen)
  return frozen ? `${path} is frozen` : `${path} goes on`
}

async function kill(path: string): Promise<string> {
  await killGroup(openGroup(path))
  return `all processes of ${path} were killed`
}

async function setLimit(path: string, file: string, value: string): Promise<string> {
  const cpus = file === 'cpu.max' ? parseCpus(value) : undefined
  // the file contains microseconds, but the user types CPUs
  if (file === 'cpu.max' && cpus === undefined)
    throw fail('OPTION_INVALID', {
      name: file,
      value,
      accepted: 'CPUs, such as 0.5 or 2, at least 0.01; max means no limit',
    })
  await assignFiles(openGroup(path), [[file, cpus === undefined ? value : writtenCpus(cpus)]])
  return `${file} of ${path} is ${value}`
}

/** The actions on a group. */
export interface GroupActions {
  freeze(path: string, frozen: boolean): Promise<ActionResult>
  kill(path: string): Promise<ActionResult>
  setLimit(path: string, file: string, value: string): Promise<ActionResult>
}

/** Returns the actions. Their errors have the option names of the front end. */
export function makeActions(names: OptionNames): GroupActions {
  return {
    freeze: (path, frozen) => attempt(() => freeze(path, frozen), names),
    kill: (path) => attempt(() => kill(path), names),
    setLimit: (path, file, value) => attempt(() => setLimit(path, file, value), names),
  }
}

function writtenCpus(cpus: number | 'max'): { quota: number | 'max'; period: number } {
  const quota = formatCpuMax(cpus).split(' ')[0]!
  return { quota: quota === 'max' ? 'max' : Number(quota), period: cpuPeriodUsec }
}

/** Runs an action. Turns an error into a result with the error's first line and its remedy. */
async function attempt(act: () => Promise<string>, names: OptionNames): Promise<ActionResult> {
  try {
    return { done: true, said: await act() }
  } catch (error) {
    if (!HutchError.is(error)) throw error
    const { summary, remedy } = nameOptions(error, names)
    return { done: false, said: `${summary}; remedy: ${remedy}` }
  }
}
