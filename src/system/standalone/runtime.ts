// SPDX-License-Identifier: Apache-2.0
// Implements ../runtime.ts in the binary without Node.
import { host } from './host.ts'

/** True in Node itself, false in other runtimes. */
export const runsInNode = false

/** The runtime, as `hutch version` prints it. */
export const runtimeName = 'without Node'

/** Describes an error that hutch does not expect. The engine's own words are for developers alone, who set HUTCH_DEBUG. */
export function describeFault(error: unknown): string {
  const { message = '', stack = '' } = Object(error) as Partial<Error>
  const debug = process.env.HUTCH_DEBUG === undefined ? '' : `${message}\n${stack}\n`
  // a text of 1 GiB can need little memory, since its parts are shared
  if (host.lacksMemory() || message === 'string too long')
    return `hutch: out of memory, of which hutch itself may use 64 MiB\n  remedy: check the size of the input, and ulimit -v\n${debug}`
  if (/stack overflow|Maximum call stack/.test(message))
    return `hutch: the input is nested too deeply\n  remedy: check the input\n${debug}`
  return `hutch: an internal error occurred\n  remedy: report it, with the command line; HUTCH_DEBUG=1 prints details\n${debug}`
}
