// SPDX-License-Identifier: Apache-2.0
// Implements ../addon.ts without Node: the C core is part of this program.
import { fileError } from './errors.ts'
import { host } from './host.ts'

/** The path that errors name in place of a file of the C core. */
export const buildDirectory = '/proc/self/exe'

/** Returns the functions of the C core. */
export function loadAddon(_path: string): unknown {
  return host.core()
}

/** Returns the bytes that a compiled file begins with. */
export function readCompiledStart(): Buffer {
  return host.compiledStart()
}

/** Returns the path of the small program that contained commands find as `hutch`. */
export function findInsideProgram(): string {
  const fd = host.insideFile()
  if (fd < 0) throw fileError(fd, 'memfd_create')
  return `/proc/self/fd/${fd}`
}

/** Where contained commands find `hutch`: this program's directory, if this program has that name (plan/plan.ts). */
export const toolPath = {
  get last(): string | undefined {
    const path = process.execPath
    return path.endsWith('/hutch') ? path.slice(0, -'/hutch'.length) : undefined
  },
}
