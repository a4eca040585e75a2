// SPDX-License-Identifier: Apache-2.0
// The environment that a job inherits, with the bytes that the caller has in it.
import { readFileSync } from '../system/files.ts'
import { native } from '../system/native.ts'
import { decodeNames, isOdd, keepMarks } from '../text/non-utf8.ts'

let knownEnvironment: string[] | undefined

/** Returns the caller's environment. In a worker thread, process.env is a copy, so it is read again each time. */
export function readEnvironment(): string[] {
  const changed = native().environmentChanged()
  if (knownEnvironment && !changed) return knownEnvironment
  knownEnvironment = Object.entries(process.env).map(([name, value]) => `${name}=${value}`)
  if (knownEnvironment.some(isOdd)) knownEnvironment = withBytes(knownEnvironment)
  return knownEnvironment
}

/** Node reads variables as UTF-8: those that are something else are taken from the kernel. */
function withBytes(variables: readonly string[]): string[] {
  const bytes = readFileSync('/proc/self/environ').toString('latin1').split('\0')
  const read = new Map(
    bytes.map((text) => Buffer.from(text, 'latin1')).map((text) => [text.toString(), decodeNames(text)]),
  )
  return variables.map((variable) => (isOdd(variable) ? (read.get(variable) ?? keepMarks(variable)) : variable))
}

/** The caller's variables by name: `process.env`, with the bytes of those that are not UTF-8. */
export function ownVariables(): { [name: string]: string | undefined } {
  if (!Object.entries(process.env).some(([name, value]) => isOdd(name + value))) return process.env
  return Object.fromEntries(
    readEnvironment().map((variable) => {
      const at = variable.indexOf('=')
      return [variable.slice(0, at), variable.slice(at + 1)]
    }),
  )
}
