// SPDX-License-Identifier: Apache-2.0
// Loads the code that only some options need, so that other starts do not load it. Called by job.ts, the pool and the CLI.
import type { FileReader } from '../cgroup/format-file.ts'
import { namesFiles, type RunOptions } from '../options/options.ts'
import { propertyName } from '../options/property-names.ts'
import { seccompOrigin } from '../options/seccomp-option.ts'
import type { Spec } from '../options/spec.ts'
import type { FilterMaker } from '../seccomp/make-filter.ts'

/**
 * Loads the parser of limits that are given by their kernel file. Returns undefined, and loads nothing, if `options`
 * contain no such limit.
 */
export async function loadFileReader(options: RunOptions): Promise<FileReader | undefined> {
  return namesFiles(options) ? (await import('../cgroup/format-file.ts')).formatFile : undefined
}

/**
 * Loads the module that compiles the requested system call filter. Returns undefined, and loads nothing, if no filter
 * is requested.
 */
export async function loadFilter(spec: Spec): Promise<FilterMaker | undefined> {
  const { seccomp, frontend, root, privileges, container } = spec
  const origin = seccomp === undefined ? '' : container ? propertyName('seccomp') : seccompOrigin(seccomp, frontend)
  if (spec.seccompReport || spec.learn)
    return (await import('../seccomp/notify-filter.ts')).readSupervised(seccomp, origin, spec.learn === true)
  if (seccomp === undefined) return undefined
  const { capAdd, capDrop } = privileges
  const hasDefaultRights =
    root?.directory !== undefined && capAdd.length === 0 && (capDrop.length === 0 || capDrop.includes('ALL'))
  if ('own' in seccomp && (hasDefaultRights || seccomp.own === 'strict'))
    return (await import('../seccomp/load-builtin.ts')).readOwnFilter(seccomp.own)
  return (await import('../seccomp/load-profile.ts')).loadProfileFilter(seccomp, origin)
}
