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
/** Refuses hosts with v1 groups: a control in a VM, named by the variable. */
const crun: Runtime = { name: 'crun', program: '/usr/bin/crun', inRoot: true }
const hutch: Runtime = { name: 'hutch-oci', program: binary }

/** runc and hutch-oci, or those that the variable RUNTIME names. */
export const runtimes = (process.env.RUNTIME ?? 'runc,hutch-oci').split(',').map((name) => {
  const runtime = [runc, crun, hutch].find((one) => one.name === name)
  if (!runtime)
    throw new Error(`RUNTIME=${process.env.RUNTIME}: expected runc, crun and hutch-oci, with commas between`)
  return runtime
})

if (runtimes.includes(hutch) && spawnSync(binary, ['oci', '--version']).status !== 0)
  throw new Error(`${binary} does not run\n  remedy: npm run build:standalone`)
