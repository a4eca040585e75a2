// SPDX-License-Identifier: Apache-2.0
// The table of the runtime's commands that exist, each with the file that runs it. A file is loaded only when its command is called.

import type { OciCallOf } from './arguments.ts'
import type { OciContext } from './context.ts'
import type { OciCommandName } from './flag-table.ts'

/** Runs a command. Returns the exit status, or throws. */
type Runner<Name extends OciCommandName> = (call: OciCallOf<Name>, context: OciContext) => number | Promise<number>

export const runners: { readonly [Name in OciCommandName]?: () => Promise<{ run: Runner<Name> }> } = {
  create: () => import('./lifecycle/create.ts'),
  start: () => import('./lifecycle/start.ts'),
  run: () => import('./lifecycle/run.ts'),
  exec: () => import('./lifecycle/exec.ts'),
  kill: () => import('./lifecycle/kill.ts'),
  delete: () => import('./lifecycle/delete.ts'),
  pause: () => import('./pause.ts'),
  resume: () => import('./resume.ts'),
  update: () => import('./update.ts'),
  events: () => import('./events.ts'),
  state: () => import('./state-output.ts'),
  list: () => import('./list.ts'),
  ps: () => import('./ps.ts'),
  spec: () => import('./spec.ts'),
  features: () => import('./features.ts'),
}

/** Exit statuses of commands whose own failure must differ from the status of the command that they run. 1 by default. */
export const failureStatuses: { readonly [name: string]: number } = { exec: 255 }
