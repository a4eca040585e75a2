// SPDX-License-Identifier: Apache-2.0
// The CLI's entry: finds the command, loads only that one, and turns errors into lines and exit status 125.

import { dropins } from '../dropin/table.ts'
import { fail, HutchError, nameOptions } from '../errors/errors.ts'
import { closeSync, fstatSync, readFileSync } from '../system/files.ts'
import { basename } from '../system/paths.ts'
import { describeFault, runtimeName } from '../system/runtime.ts'
import { writeStderr } from '../system/stderr.ts'
import { print } from '../system/stdout.ts'
import { isatty } from '../system/terminals.ts'
import { nearest } from '../text/nearest.ts'
import { decodeNames, isOdd } from '../text/non-utf8.ts'
import { formatJson } from '../text/quote.ts'
import type { Command, CommandEntry, CommandGroup } from './command.ts'
import { type FlagTable, parseFlags } from './flags.ts'
import { hutch } from './table.ts'

declare const HUTCH_VERSION: string

/** True if hutch was called with --json. Errors are then printed as one line of JSON on stderr. */
let errorsAsJson = false
/** Flags of the command that was called, which errors may name. */
let ownFlags: FlagTable = {}

/** Words after a command that print its help, such as --help. */
const helpWords: ReadonlySet<string | undefined> = new Set(['help', '--help', '-h'])

function dropinOf(name: string | undefined) {
  return name !== undefined && Object.hasOwn(dropins, name) ? dropins[name] : undefined
}

async function main(args: string[]): Promise<number> {
  // hutch was called through a link with the name of a drop-in command: see links.ts
  const called = basename(process.argv[1] ?? '')
  const dropin = dropinOf(called) ?? dropinOf(args[0])
  if (dropin) return (await dropin()).main(dropinOf(called) ? args : args.slice(1))
  if (args[0] === '--version' || args[0] === '-V' || args[0] === 'version') {
    print(`hutch ${HUTCH_VERSION}${args[0] === 'version' ? ` (${runtimeName})` : ''}\n`)
    return 0
  }
  return callVerb('', hutch, args)
}

async function callVerb(name: string, family: CommandGroup, args: string[]): Promise<number> {
  const [verb, ...rest] = args
  if (verb === undefined || (helpWords.has(verb) && rest.length === 0)) {
    const { formatFamily } = await import('./help/format.ts')
    if (verb === undefined) writeStderr(formatFamily(name, family))
    else print(formatFamily(name, family))
    return verb === undefined ? 125 : 0
  }
  // `hutch help run` is `hutch run --help`
  if (verb === 'help') return callVerb(name, family, [...rest, '--help'])
  const entry = Object.hasOwn(family.verbs, verb) ? family.verbs[verb] : undefined
  const fullName = name === '' ? verb : `${name} ${verb}`
  if (entry) return call(fullName, entry, rest)
  if (name === '' && dropinOf(verb)) return (await dropinOf(verb)!()).main(rest)
  const near = nearest(verb, [...Object.keys(family.verbs), ...(name === '' ? Object.keys(dropins) : [])])
  throw fail('COMMAND_UNKNOWN', {
    name: fullName,
    nearest: near === undefined || name === '' ? near : `${name} ${near}`,
    list: name === '' ? 'hutch help' : `hutch ${name} --help`,
  })
}

async function call(name: string, entry: CommandEntry, args: string[]): Promise<number> {
  const { command } = await entry.load()
  if ('verbs' in command) return callVerb(name, command, args)
  ownFlags = command.flags
  // after the start of the executed command's words, --json belongs to that command
  errorsAsJson = !command.runsCommand && args.includes('--json')
  const parsed = await (command.parse ?? ((words) => parseFlags(words, command.flags, !command.runsCommand)))(args)
  const { help } = parsed.values
  if (help) {
    const { formatHelp } = await import('./help/format.ts')
    print(formatHelp(name, command, entry.summary, help.at(-1) === 'all'))
    return 0
  }
  errorsAsJson = parsed.values.json !== undefined
  checkWords(name, command, parsed.rest)
  return command.main(parsed)
}

/** Checks the number of operands of a command. @throws WORDS_MISSING, ARGUMENT_UNEXPECTED */
function checkWords(name: string, { words, minWords = 0, maxWords = Infinity }: Command, typed: string[]): void {
  const usage = `hutch ${name} [OPTIONS]${words === '' ? '' : ` ${words}`}`
  if (typed.length < minWords) throw fail('WORDS_MISSING', { usage })
  if (typed.length > maxWords) throw fail('ARGUMENT_UNEXPECTED', { argument: typed[maxWords]!, usage })
}

/**
 * Ends hutch. Before that, closes standard streams whose terminal has hung up: Node aborts if it cannot restore the settings of a terminal.
 */
async function end(status: number): Promise<never> {
  for (const fd of [0, 1, 2])
    try {
      const { rdev } = fstatSync(fd)
      // device major 0: not a device; 1: /dev/null and other memory devices
      if (rdev >>> 8 > 1 && !isatty(fd)) closeSync(fd)
    } catch {
      // ignored: the descriptor is already closed
    }
  process.exit(status)
}

/** Returns the arguments of this process without loss. Node decodes arguments as UTF-8, but some file names are not valid UTF-8. */
function readArguments(): string[] {
  const args = process.argv.slice(2)
  if (!args.some(isOdd)) return args
  const all = readFileSync('/proc/self/cmdline').toString('latin1').split('\0').slice(0, -1)
  return all.slice(all.length - args.length).map((text) => decodeNames(Buffer.from(text, 'latin1')))
}

main(readArguments()).then(end, async (thrown: unknown) => {
  const error = HutchError.is(thrown) ? thrown : (await import('../errors/missing-proc.ts')).explainMissingProc(thrown)
  if (!HutchError.is(error)) writeStderr(describeFault(error))
  else {
    const { commandNames } = await import('../options/names.ts')
    const named = nameOptions(error, commandNames(ownFlags))
    writeStderr(errorsAsJson ? `${formatJson({ error: named.toJSON() })}\n` : `hutch: ${named.message}\n`)
  }
  return end(125)
})
