// SPDX-License-Identifier: Apache-2.0
// The runtimes that the callers are run over: the one place where a runtime is added. runc is the control.
import { spawnSync } from 'node:child_process'
import { binary } from '../support/command.ts'

export interface Runtime {
  /** Name of the command: callers look at it. */
  name: string
  /** The program: on the host, or, with `inRoot`, in the callers' root. */
  program: string
  inRoot?: boolean
}

const runc: Runtime = { name: 'runc', program: '/usr/sbin/runc', inRoot: true }
const hutch: Runtime = { name: 'hutch-oci', program: binary }

/** All runtimes, or those that the variable RUNTIME names. */
export const runtimes = [runc, hutch].filter(
  ({ name }) => !process.env.RUNTIME || process.env.RUNTIME.split(',').includes(name),
)

if (runtimes.includes(hutch) && spawnSync(binary, ['oci', '--version']).status !== 0)
  throw new Error(`${binary} does not run\n  remedy: npm run build:standalone`)
if (runtimes.length === 0)
  throw new Error(`RUNTIME=${process.env.RUNTIME}: expected names of ${runc.name}, ${hutch.name}, with commas`)
