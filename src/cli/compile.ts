// SPDX-License-Identifier: Apache-2.0
// hutch compile: the flags of run, and a file instead of a process.
import { randomBytes } from 'node:crypto'
import { chmodSync, lstatSync, readFileSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { fail, HutchError } from '../errors.ts'
import { buildDirectory } from '../native.ts'
import { parseOptions } from '../plan/options.ts'
import { encodeCompiled, groupPlaceholder } from '../program/compiled.ts'
import { explainProgram } from '../program/explain.ts'
import { prepareCompiled } from '../run/compiled.ts'
import { loadFilter } from '../run/job.ts'
import { type FlagTable, formatFlags, parseFlags } from './flags.ts'
import { formatSteps } from './print.ts'
import { readOptions, flags as runFlags } from './run.ts'

/** Options of run that take a hutch that lives, and why. */
const live: { [name: string]: string } = {
  report: 'a compiled file has nothing that writes reports',
  explain: 'FILE --hutch-explain prints the program',
  verbose: 'a compiled file tells only what stopped its command',
  evacuate: 'a compiled file moves no processes of others: move them once, with hutch cgroup move',
}

export const flags: FlagTable = {
  output: { value: 'FILE', short: 'o', help: 'the executable to write; one that is there is replaced' },
  'pass-args': { help: "arguments of the call are the command's, behind its own" },
  ...Object.fromEntries(Object.entries(runFlags).filter(([name]) => !Object.hasOwn(live, name))),
}

const usage = 'hutch compile --output FILE [OPTIONS] [--] COMMAND [ARG…]'

export async function main(args: string[]): Promise<number> {
  const { values, order, rest } = parseFlags(args, { ...flags, ...runFlags })
  if (values.help) {
    writeSync(1, `Usage: ${usage}\n\n${formatFlags(flags)}\n`)
    return 0
  }
  for (const [name, why] of Object.entries(live))
    if (values[name])
      throw fail('OPTION_CONFLICT', { name: `--${name}`, why, remedy: 'leave it out, or use hutch run' })
  const output = values.output?.at(-1)
  if (output === undefined || output === '')
    throw fail('OPTION_INVALID', { name: '--output', value: '', why: 'it is missing', accepted: 'the file to write' })
  const [command = '', ...words] = rest
  // a name alone keeps the value of the call, which nothing here knows
  const spec = parseOptions(command, words, readOptions(values, order, {}), 'cli')
  const prepared = prepareCompiled(spec, { filter: await loadFilter(spec) })
  const steps = formatSteps(explainProgram(prepared.program), { color: false })
  const file = encodeCompiled(readRunner(), {
    ...prepared,
    flags: {
      passArguments: values['pass-args'] !== undefined,
      quiet: values.quiet !== undefined,
      passEnvironment: !spec.sandbox,
    },
    explained: steps.replaceAll(groupPlaceholder, 'hutch-PID-START-PIDNS-0'),
  })
  writeExecutable(output, file)
  return 0
}

function readRunner(): Buffer {
  const path = `${buildDirectory}/hutch-compiled`
  try {
    return readFileSync(path)
  } catch (error) {
    throw fail('NATIVE_MISSING', { path, why: (error as Error).message }, error)
  }
}

/** Whole or not at all; what stands at the path is replaced, not written through, if it is a regular file. @throws FILE_REFUSED */
export function writeExecutable(path: string, bytes: Uint8Array): void {
  const draft = `${path}.${randomBytes(6).toString('hex')}`
  const refused = (code: string, remedy: string, error?: unknown) =>
    fail('FILE_REFUSED', { what: 'write --output', path, errno: code, remedy }, error)
  const usual = 'give --output a file in a directory that exists and can be written'
  try {
    const existing = lstatSync(path, { throwIfNoEntry: false })
    if (existing && !existing.isFile())
      throw refused(existing.isDirectory() ? 'EISDIR' : 'EEXIST', 'it is no regular file: give --output another name')
    writeFileSync(draft, bytes, { flag: 'wx', mode: 0o700 })
    chmodSync(draft, 0o755)
    renameSync(draft, path)
  } catch (error) {
    if (HutchError.is(error)) throw error
    rmSync(draft, { force: true })
    const { code = 'EIO' } = error as NodeJS.ErrnoException
    throw refused(code, usual, error)
  }
}
