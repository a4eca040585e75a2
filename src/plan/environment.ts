// SPDX-License-Identifier: Apache-2.0
// Makes the environment of the command. Called by plan.ts and container.ts; pure.
import { sandboxVariables } from '../options/sandbox-preset.ts'
import type { Spec } from '../options/spec.ts'
import type { PlanFacts } from './plan.ts'

export const defaultSearchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * Directories of the program `hutch`, which the command of a job can call. `first` contains nothing else. `last` may contain other programs,
 * which must not hide those of PATH.
 */
export interface ToolPath {
  first?: string
  last?: string
}

/** Adds the directory of `hutch` to a search path. */
export function addTools(searchPath: string, { first, last }: ToolPath): string {
  const isMissing = last !== undefined && !searchPath.split(':').includes(last)
  return [...(first === undefined ? [] : [first]), searchPath, ...(isMissing ? [last] : [])].join(':')
}

/**
 * Returns the environment of the command: the caller's with the requested changes. Unless the job has its own root,
 * PATH contains the directory of `hutch`, so that the command can call it.
 */
export function makeEnvironment(spec: Spec, facts: PlanFacts): { env: string[]; searchPath: string } {
  const { user } = facts
  const account = user?.name === undefined ? {} : { HOME: user.home, USER: user.name, LOGNAME: user.name }
  const changes: { [name: string]: string | undefined } = { ...account, ...spec.env }
  const own = spec.extendEnv === false ? [] : facts.env
  const path = 'PATH' in changes ? changes.PATH : own.find((entry) => entry.startsWith('PATH='))?.slice(5)
  // an image does not contain hutch, and the command must not learn where hutch is on the host
  const searchPath = addTools(path ?? defaultSearchPath, spec.root?.directory === undefined ? facts.toolPath : {})
  const replaced = new Set(['PATH', ...Object.keys(changes)])
  const keeps = (name: string) => !spec.sandbox || sandboxVariables.includes(name) || name.startsWith('LC_')
  const env = own.filter((entry) => {
    const name = entry.slice(0, entry.indexOf('='))
    return !replaced.has(name) && keeps(name)
  })
  if (own === facts.env || 'PATH' in changes) env.push(`PATH=${searchPath}`)
  for (const [name, value] of Object.entries(changes))
    if (name !== 'PATH' && value !== undefined) env.push(`${name}=${value}`)
  return { env, searchPath }
}
