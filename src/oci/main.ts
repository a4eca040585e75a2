// SPDX-License-Identifier: Apache-2.0
// The entry of the OCI runtime, as `hutch oci` and under the name hutch-oci. Parses the command line and runs the command. Turns an error into
// the line that callers look for, in the log and on stderr.

import { fail, HutchError, nameOptions } from '../errors/errors.ts'
import { resolve } from '../system/paths.ts'
import { describeFault } from '../system/runtime.ts'
import { print } from '../system/stdout.ts'
import { type GlobalOptions, type OciCall, ociName, parseCommand, parseGlobal } from './arguments.ts'
import { failureStatuses, runners } from './commands.ts'
import type { OciContext } from './context.ts'
import { logDebug, reportError } from './log.ts'
import { readDefaultRoot, textPath } from './root.ts'
import { formatVersion } from './version.ts'

declare const HUTCH_VERSION: string

const failed = 1

/** Runs the runtime with the words of its command line. `name` is how it was called. Returns the exit status. */
export async function main(args: string[], name = ociName): Promise<number> {
  let options: Pick<GlobalOptions, 'log' | 'logFormat' | 'debug'> = { debug: false, logFormat: 'text' }
  let status = failed
  try {
    const line = parseGlobal(args)
    options = line.global
    const call = parseCommand(line)
    if (call.command === 'help') {
      print((await import('./help.ts')).formatOciHelp(name, call.about))
      return 0
    }
    if (call.command === 'version') {
      print(formatVersion(HUTCH_VERSION))
      return 0
    }
    status = failureStatuses[call.command] ?? failed
    return await runCall(call)
  } catch (thrown) {
    reportError(options, await explain(thrown))
    return status
  }
}

async function runCall(call: OciCall): Promise<number> {
  const { command, global } = call
  const load = runners[command] as (() => Promise<{ run(call: OciCall, context: OciContext): number }>) | undefined
  if (!load) throw fail('OCI_COMMAND_UNSUPPORTED', { command })
  const root = resolve(textPath('--root', global.root ?? readDefaultRoot()))
  const remark = (message: string) => logDebug(global, message, 'warning')
  logDebug(global, `${command} ${call.id}`.trimEnd())
  const { run } = await load()
  return await run(call, { root, global, remark })
}

/** Returns the line for an error. What only an error needs is loaded here. */
async function explain(thrown: unknown): Promise<string> {
  const error = HutchError.is(thrown)
    ? thrown
    : explainSystemCall((await import('../errors/missing-proc.ts')).explainMissingProc(thrown))
  if (!HutchError.is(error))
    return describeFault(error)
      .trim()
      .replace(/\s*\n\s*/g, '; ')
  const [{ propertyNames }, { refusalLine }] = await Promise.all([
    import('../options/property-names.ts'),
    import('./refusal.ts'),
  ])
  return refusalLine(nameOptions(error, propertyNames))
}

/** Returns FILE_REFUSED for the error of a system call that no other code explains, and any other error as it is. */
function explainSystemCall(error: unknown): unknown {
  const { code, syscall, path = '' } = Object(error) as Partial<NodeJS.ErrnoException>
  if (code === undefined || syscall === undefined) return error
  const remedy = 'check this path, and the rights of this user there'
  return fail('FILE_REFUSED', { what: syscall, path: String(path), errno: code, remedy }, error)
}
