// SPDX-License-Identifier: Apache-2.0
// Reads the environment that a job inherits. Names and values may contain bytes that are not UTF-8. Called by
// launch.ts, the command line and the drop-ins.
import { readFileSync } from '../system/files.ts'
import { native } from '../system/native.ts'
import { runsInNode } from '../system/runtime.ts'
import { decodeNames, isOdd, keepMarks } from '../text/non-utf8.ts'

let knownEnvironment: string[] | undefined

/** Returns the caller's environment. Reads process.env on each call, because worker threads have their own copy of it. */
export function readEnvironment(): string[] {
  // in Node, native code detects changes of the environment; other runtimes do not pass changes of process.env on to it
  const changed = !runsInNode || native().environmentChanged()
  if (knownEnvironment && !changed) return knownEnvironment
  knownEnvironment = Object.entries(process.env).map(([name, value]) => `${name}=${value}`)
  if (knownEnvironment.some(isOdd)) knownEnvironment = withBytes(knownEnvironment)
  return knownEnvironment
}

/** Replaces each variable that is not valid UTF-8 by its original bytes, which Node's decoding as UTF-8 has lost. */
function withBytes(variables: readonly string[]): string[] {
  const bytes = readFileSync('/proc/self/environ').toString('latin1').split('\0')
  const read = new Map(
    bytes.map((text) => Buffer.from(text, 'latin1')).map((text) => [text.toString(), decodeNames(text)]),
  )
  return variables.map((variable) => (isOdd(variable) ? (read.get(variable) ?? keepMarks(variable)) : variable))
}

/** Returns the caller's variables by name, as `process.env` does, but with the bytes of variables that are not UTF-8. */
export function ownVariables(): { [name: string]: string | undefined } {
  if (!Object.entries(process.env).some(([name, value]) => isOdd(name + value))) return process.env
  return Object.fromEntries(
    readEnvironment().map((variable) => {
      const at = variable.indexOf('=')
      return [variable.slice(0, at), variable.slice(at + 1)]
    }),
  )
}
