// SPDX-License-Identifier: Apache-2.0
// hutch compile: takes the options of run, and writes a file instead of starting a process.

import { type Compiled, encodeCompiled, groupPlaceholder, ownPlaceholder } from '../compile/file-format.ts'
import { prepareCompiled } from '../compile/prepare.ts'
import { fail, HutchError } from '../errors/errors.ts'
import { explainProgram } from '../ops/explain.ts'
import { parseOptions } from '../options/options.ts'
import { loadFileReader, loadFilter } from '../run/load-parsers.ts'
import { lstatSync } from '../system/files.ts'
import { buildDirectory, readCompiledStart } from '../system/native.ts'
import { openDocument } from '../system/output-file.ts'
import { print } from '../system/stdout.ts'
import { encodePath } from '../text/non-utf8.ts'
import { formatJson } from '../text/quote.ts'
import { formatSteps } from '../verdict/format-result.ts'
import type { Command } from './command.ts'
import type { FlagTable, Parsed } from './flags.ts'
import { parseRunFlags, readOptions, flags as runFlags } from './run.ts'

/** Options of `hutch run` that a compiled file cannot have, with the reason. */
const live: { [name: string]: string } = {
  report: 'a compiled file does not write reports',
  meta: 'a compiled file does not write meta files',
  'cpu-time': 'a compiled file does not measure CPU time',
  'extra-time': 'a compiled file does not measure CPU time',
  'max-output': 'a compiled file does not read what its command writes',
  stdin: "a compiled file uses its caller's streams",
  stdout: "a compiled file uses its caller's streams",
  stderr: "a compiled file uses its caller's streams",
  'seccomp-report': 'a compiled file does not report refused calls',
  learn: 'a compiled file does not write profiles',
  force: 'it needs --learn, which a compiled file does not support',
  explain: 'FILE --hutch-explain prints the program',
  verbose: 'a compiled file reports only what stopped its command',
  evacuate: 'a compiled file does not move other processes: use hutch cgroup move once',
}

export const flags: FlagTable = {
  output: {
    value: 'FILE',
    short: 'o',
    common: true,
    help: 'The executable to write. An existing file is replaced.',
    complete: 'file',
  },
  'pass-args': {
    common: true,
    help: 'Pass the arguments of each start on to the command, after the command’s own arguments.',
  },
  ...Object.fromEntries(Object.entries(runFlags).filter(([name]) => !Object.hasOwn(live, name))),
  json: { common: true, help: 'Print the file and its size as one line of JSON.' },
}

export const command: Command = {
  words: '[--] COMMAND [ARG…]',
  otherUsages: ['--output FILE [--pass-args] [--quiet] --bwrap [OPTIONS OF BWRAP] COMMAND [ARG…]'],
  flags,
  runsCommand: true,
  parse: parseCompile,
  main,
}

/**
 * Splits the arguments at `--bwrap`. The words after it are a command line of bwrap. A `--bwrap` after the start of the command's own words
 * belongs to the command.
 */
function splitAtBwrap(all: string[]): [args: string[], ofBwrap: string[] | undefined] {
  const at = all.indexOf('--bwrap')
  const found = at >= 0 && !all.slice(0, at).includes('--')
  return found ? [all.slice(0, at), all.slice(at + 1)] : [all, undefined]
}

async function parseCompile(all: string[]): Promise<Parsed> {
  const [args, ofBwrap] = splitAtBwrap(all)
  return { ...(await parseRunFlags(args, { ...flags, ...runFlags })), ...(ofBwrap && { ofBwrap }) }
}

async function main({ values, order, rest, ofBwrap }: Parsed & { ofBwrap?: string[] }): Promise<number> {
  for (const [name, why] of Object.entries(live))
    if (values[name])
      throw fail('OPTION_CONFLICT', { name: `--${name}`, why, remedy: 'leave it out, or use hutch run' })
  const output = values.output?.at(-1)
  if (output === undefined || output === '')
    throw fail('OPTION_INVALID', { name: '--output', value: '', why: 'missing', accepted: 'the file to write' })
  if (ofBwrap) {
    refuseBesideBwrap([...Object.keys(values).map((name) => `--${name}`), ...rest])
    const { prepareBwrap } = await import('./compile-bwrap.ts')
    write(output, values, prepareBwrap(ofBwrap))
    return 0
  }
  const [command = '', ...words] = rest
  // `--env NAME` without a value keeps a variable of the process that starts the file, whose value is unknown now
  const options = readOptions({ values, order }, () => ({}))
  const spec = parseOptions(command, words, options, 'cli', await loadFileReader(options))
  const prepared = prepareCompiled(spec, { filter: await loadFilter(spec) })
  write(output, values, {
    ...prepared,
    flags: { passEnvironment: !spec.sandbox && spec.extendEnv !== false, dieWithParent: false },
  })
  return 0
}

/**
 * Part of a compiled file that is prepared the same way for hutch's own options and for --bwrap. The options of `hutch compile` itself are
 * added later.
 */
export type Prepared = Omit<Compiled, 'flags' | 'explained'> & {
  flags: Pick<Compiled['flags'], 'passEnvironment' | 'dieWithParent'>
}

function write(output: string, values: Parsed['values'], prepared: Prepared): void {
  const steps = formatSteps(explainProgram(prepared.program), { color: false })
  const file = encodeCompiled(readRunner(), {
    ...prepared,
    flags: { ...prepared.flags, passArguments: values['pass-args'] !== undefined, quiet: values.quiet !== undefined },
    explained: steps
      .replaceAll(groupPlaceholder, 'hutch-PID-START-PIDNS-0')
      .replaceAll(RegExp(`(/)?${ownPlaceholder}\\w*`, 'g'), (_, slash) => (slash ? '/OWN-GROUP' : 'that of OWN-GROUP')),
  })
  writeExecutable(output, file)
  if (values.json) print(`${formatJson({ file: output, bytes: file.length })}\n`)
}

/** Refuses options of `hutch run` together with --bwrap: the command line of bwrap must contain everything. */
function refuseBesideBwrap(words: readonly string[]): void {
  const other = words.find((word) => !['--output', '--pass-args', '--quiet'].includes(word))
  if (other !== undefined)
    throw fail('OPTION_CONFLICT', {
      name: other,
      why: 'all options after --bwrap are options of bwrap',
      remedy: "use bwrap's options there; for limits, --hutch-memory, --hutch-pids, --hutch-cpus, --hutch-timeout",
    })
}

function readRunner(): Buffer {
  try {
    return readCompiledStart()
  } catch (error) {
    throw fail('NATIVE_MISSING', { path: `${buildDirectory}/hutch-compiled`, why: (error as Error).message }, error)
  }
}

/**
 * Writes a file completely or not at all. An existing regular file is replaced by a new one, and is not written into. @throws FILE_REFUSED
 */
export function writeExecutable(path: string, bytes: Uint8Array): void {
  const refused = (code: string, remedy: string, error?: unknown) =>
    fail('FILE_REFUSED', { what: 'write --output', path, errno: code, remedy }, error)
  const defaultRemedy = 'give --output a file in a directory that exists and can be written'
  try {
    const existing = lstatSync(encodePath(path), { throwIfNoEntry: false })
    if (existing && !existing.isFile())
      throw refused(existing.isDirectory() ? 'EISDIR' : 'EEXIST', 'not a regular file: give --output another name')
    // the mode that compilers use, because the file may contain values of --env
    openDocument(path)(bytes, { mode: 0o777 & ~process.umask() })
  } catch (error) {
    if (HutchError.is(error)) throw error
    const { code = 'EIO' } = error as NodeJS.ErrnoException
    throw refused(code, defaultRemedy, error)
  }
}
