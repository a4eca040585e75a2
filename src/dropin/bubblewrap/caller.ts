// SPDX-License-Identifier: Apache-2.0
// Reads the caller's inputs for bubblewrap(1): descriptors, environment, capabilities, and which sources exist. Called by bwrap.ts and
// compile-bwrap.ts.

import { capabilitiesOf, parseCapabilityMask } from '../../credentials/capability.ts'
import { fail } from '../../errors/errors.ts'
import { readPrivileges } from '../../host/privileges.ts'
import { existsSync, readFileSync, readlinkSync, statSync } from '../../system/files.ts'
import { release } from '../../system/machine.ts'
import { isatty } from '../../system/terminals.ts'
import { encodePath } from '../../text/non-utf8.ts'
import type { BwrapFacts } from './program.ts'
import type { BwrapRequest } from './request.ts'

/** Reads the facts of this process and machine that planBwrap needs. */
export function readFacts(environment: ReadonlyMap<string, string>): BwrapFacts {
  const { uid, gid, permitted } = readPrivileges()
  const [major = 0, minor = 0] = release().split('.').map(Number)
  const home = environment.get('HOME')
  const terminal = isatty(1) ? linkOf('/proc/self/fd/1') : undefined
  const possible = new Set<'user' | 'cgroup'>()
  if (existsSync('/proc/self/ns/cgroup')) possible.add('cgroup')
  if (existsSync('/proc/self/ns/user') && textOf('/proc/sys/user/max_user_namespaces') !== '0') possible.add('user')
  return {
    uid,
    gid,
    permitted: parseCapabilityMask(permitted),
    known: capabilitiesOf([major, minor]),
    possible,
    directories: [...new Set([currentDirectory(), home, '/'])].filter(
      (one) => one !== undefined && one !== '',
    ) as string[],
    ...(terminal !== undefined && { terminal }),
  }
}

/** Returns the working directory. Returns undefined if it was removed; bubblewrap then uses the caller's home directory. */
function currentDirectory(): string | undefined {
  try {
    return process.cwd()
  } catch {
    return undefined
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    return undefined
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return ''
  }
}

/** Returns the environment of the program, after the requested changes in their order. */
export function applyEnvironment({ environment }: BwrapRequest, initial: NodeJS.ProcessEnv): Map<string, string> {
  const now = new Map(Object.entries(initial) as [string, string][])
  for (const change of environment)
    if ('clear' in change) now.clear()
    else if (change.value === undefined) now.delete(change.name)
    else now.set(change.name, change.value)
  return now
}

/** Removes those steps whose source is missing and may be missing, such as --ro-bind-try. A source that cannot be examined is an error. */
export function dropMissing(request: BwrapRequest): void {
  request.steps = request.steps.filter((step) => {
    if (step.do !== 'bind' || !step.optional) return true
    try {
      statSync(encodePath(step.source))
      return true
    } catch (error) {
      return (error as NodeJS.ErrnoException).code !== 'ENOENT'
    }
  })
}

/** Reads all data of a descriptor. @throws FILE_REFUSED */
export function readDescriptor(name: string, descriptor: number): Buffer {
  try {
    return readFileSync(descriptor)
  } catch (error) {
    throw fail('FILE_REFUSED', {
      what: 'read',
      path: `descriptor ${descriptor}`,
      errno: (error as NodeJS.ErrnoException).code ?? 'EIO',
      remedy: `open the input of ${name} as that descriptor`,
    })
  }
}

/** Reads a seccomp filter from a descriptor, as 32-bit numbers. @throws FILE_REFUSED, OPTION_INVALID */
export function readFilterDescriptor(descriptor: number): number[] {
  const bytes = readDescriptor('--seccomp', descriptor)
  if (bytes.length % 8 !== 0)
    throw fail('OPTION_INVALID', {
      name: '--seccomp',
      value: `${bytes.length} bytes`,
      why: 'these are not whole instructions',
      accepted: 'a compiled filter, 8 bytes an instruction',
    })
  return Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readUInt32LE(i * 4))
}

/**
 * Returns the requested limits. An option takes precedence over the environment variable for the same limit. Returns undefined if no limit
 * is requested.
 */
export function wantedLimits(
  { limits }: BwrapRequest,
  variables: NodeJS.ProcessEnv,
): BwrapRequest['limits'] | undefined {
  const names = ['memory', 'pids', 'cpus', 'timeout'] as const
  const wanted: BwrapRequest['limits'] = {}
  for (const name of names) {
    const value = limits[name] ?? variables[`HUTCH_${name.toUpperCase()}`]
    if (value !== undefined && value !== '') wanted[name] = value
  }
  return Object.keys(wanted).length > 0 ? wanted : undefined
}
