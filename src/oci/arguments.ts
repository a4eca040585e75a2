// SPDX-License-Identifier: Apache-2.0
// Parses the runtime's command line by the table in flag-table.ts. Options have the forms that Go's flag package accepts: one dash or two, a
// value behind `=` or as the next word. Booleans can have a value. Options may also follow the id, except for exec and ps. Pure.

import { isContainerId } from '../container/state.ts'
import { fail } from '../errors/errors.ts'
import { systemConstants } from '../system/constants.ts'
import { parseSignalWord } from '../system/signals.ts'
import { nearest } from '../text/nearest.ts'
import {
  type FlagType,
  globalFlags,
  type OciCommandName,
  type OciFlag,
  type OciFlags,
  ociCommands,
} from './flag-table.ts'
import { parseFlagValue } from './flag-values.ts'

interface ValueTypes {
  yes: boolean
  text: string
  list: string[]
  numbers: number[]
  count: number
  integer: bigint
  bytes: bigint
  /** Milliseconds. */
  duration: number
}

/** The options that were given, by their names. The last value of an option counts, except for lists. */
export type FlagValues<Table extends OciFlags> = {
  -readonly [name in keyof Table]?: Table[name] extends { words: readonly (infer Word)[] }
    ? Word
    : ValueTypes[Table[name]['type']]
}

/** The options before the command, with their defaults. */
export interface GlobalOptions {
  debug: boolean
  /** Path of the log; undefined if messages go to stderr only. */
  log?: string
  logFormat: 'text' | 'json'
  /** Undefined for the default root. */
  root?: string
  cgroupManager: 'cgroupfs' | 'systemd' | 'disabled'
  rootless: 'true' | 'false' | 'auto'
}

/** A parsed command with its options and operands. */
export type OciCall = {
  [name in OciCommandName]: {
    command: name
    global: GlobalOptions
    options: FlagValues<(typeof ociCommands)[name]['flags']>
    /** The container's id; '' for commands without one. */
    id: string
    /** The command of exec; the options of ps. */
    words: string[]
    /** The signal of kill; 0 tests only whether the process exists. */
    signal: number
  }
}[OciCommandName]

/** The parsed form of one command. */
export type OciCallOf<Name extends OciCommandName> = Extract<OciCall, { command: Name }>

/** A request for help, about a command or all; or for the version. */
type OciHelp = { command: 'help'; about?: OciCommandName } | { command: 'version' }

/** Words before the command, for callers that must know them even if the command is invalid. */
interface SplitLine {
  global: GlobalOptions
  /** What follows the global options. */
  rest: string[]
  wantsHelp: boolean
  wantsVersion: boolean
}

/**
 * Parses the options before the command.
 *
 * @throws OPTION_UNKNOWN, OPTION_INVALID
 */
export function parseGlobal(args: readonly string[]): SplitLine {
  const { values, operands, help, version } = parseWords(args, globalFlags, 'first', true)
  const given = values as FlagValues<typeof globalFlags>
  const isNamed = given.log !== undefined && given.log !== '/dev/stderr'
  return {
    global: {
      debug: given.debug ?? false,
      ...(isNamed && { log: given.log }),
      logFormat: given['log-format'] ?? 'text',
      ...(given.root !== undefined && { root: given.root }),
      cgroupManager: given['systemd-cgroup'] ? 'systemd' : (given['cgroup-manager'] ?? 'cgroupfs'),
      rootless: given.rootless ?? 'auto',
    },
    rest: operands,
    wantsHelp: help,
    wantsVersion: version,
  }
}

/**
 * Parses the command that follows the global options.
 *
 * @throws COMMAND_UNKNOWN, COMMAND_MISSING, OPTION_UNKNOWN, OPTION_INVALID, WORDS_MISSING, ARGUMENT_UNEXPECTED, CONTAINER_ID_INVALID
 */
export function parseCommand({ global, rest, wantsHelp, wantsVersion }: SplitLine): OciCall | OciHelp {
  const [name, ...args] = rest
  if (wantsVersion) return { command: 'version' }
  if (name === undefined) return { command: 'help' }
  if (name === 'help' || name === 'h') return args[0] === undefined ? { command: 'help' } : helpAbout(args[0])
  if (wantsHelp) return helpAbout(name)
  const command = commandNamed(name)
  const { flags, operands: usage } = ociCommands[command]
  const isExact = usage === 'ID [COMMAND [ARG…]]' || usage === 'ID [PS-OPTION…]'
  const { values, operands, help } = parseWords(args, flags, isExact ? 'first' : 'last', false)
  if (help) return { command: 'help', about: command }
  const [id = '', ...words] = operands
  checkOperands(command, operands, values)
  return {
    command,
    global,
    options: values,
    id,
    words: isExact ? words : [],
    signal: command === 'kill' ? parseSignal(words[0] || 'TERM') : 0,
  } as OciCall
}

function helpAbout(name: string): OciHelp {
  return { command: 'help', about: commandNamed(name) }
}

function commandNamed(name: string): OciCommandName {
  if (Object.hasOwn(ociCommands, name)) return name as OciCommandName
  const near = nearest(name, Object.keys(ociCommands))
  throw fail('COMMAND_UNKNOWN', {
    name,
    nearest: near && `oci ${near}`,
    list: 'hutch-oci --help',
  })
}

function checkOperands(command: OciCommandName, operands: string[], values: { process?: unknown }): void {
  const { operands: names } = ociCommands[command]
  const usage = usageOf(command)
  const max = { '': 0, ID: 1, 'ID [SIGNAL]': 2, 'ID [PS-OPTION…]': Infinity, 'ID [COMMAND [ARG…]]': Infinity }[names]
  if (operands.length > max) throw fail('ARGUMENT_UNEXPECTED', { argument: operands[max]!, usage })
  if (max === 0) return
  const [id, ...words] = operands
  if (id === undefined) throw fail('WORDS_MISSING', { usage })
  if (!isContainerId(id))
    throw fail('CONTAINER_ID_INVALID', { id, why: id === '' ? 'it is empty' : 'an invalid character or name' })
  if (command === 'exec' && words.length === 0 && values.process === undefined) throw fail('COMMAND_MISSING', { usage })
}

/** The name under which callers find the runtime. */
export const ociName = 'hutch-oci'

/** Returns the usage line of a command. */
export function usageOf(command: OciCommandName, name = ociName): string {
  const { operands, flags } = ociCommands[command]
  return [name, command, ...(Object.keys(flags).length > 0 ? ['[OPTIONS]'] : []), operands].join(' ').trimEnd()
}

/** Returns the number of a signal: a name in any case, with or without SIG, or a number. @throws OPTION_INVALID */
function parseSignal(word: string): number {
  const [, base, sign, offset] = /^(?:SIG)?(RTMIN|RTMAX)(?:([+-])(\d{1,2}))?$/i.exec(word) ?? []
  const number =
    base === undefined
      ? word === '0'
        ? 0
        : parseSignalWord(word)
      : (base.toUpperCase() === 'RTMIN' ? realTime.min : realTime.max) + Number(`${sign ?? ''}${offset ?? 0}`)
  if (number !== undefined && (base === undefined || (number >= realTime.min && number <= realTime.max))) return number
  const near = nearest(word.toUpperCase(), Object.keys(systemConstants.signals))
  throw fail('OPTION_INVALID', {
    name: 'SIGNAL',
    value: word,
    why: 'there is no such signal',
    accepted: near ? `${near}?` : 'a name such as TERM, or a number from 1 to 64',
  })
}

/** The range that the C library leaves to programs. */
const realTime = { min: 34, max: 64 } as const

interface Words {
  values: { [name: string]: unknown }
  operands: string[]
  help: boolean
  version: boolean
}

/**
 * Separates options from operands. With `until` = 'first', options end at the first operand; with 'last', they may follow operands. `--` ends
 * the options, too.
 */
function parseWords(args: readonly string[], table: OciFlags, until: 'first' | 'last', isGlobal: boolean): Words {
  const found: Words = { values: {}, operands: [], help: false, version: false }
  for (let at = 0; at < args.length; at++) {
    const word = args[at]!
    if (!/^-./.test(word)) {
      if (until === 'first') return { ...found, operands: args.slice(at) as string[] }
      found.operands.push(word)
      continue
    }
    if (word === '--') return { ...found, operands: [...found.operands, ...args.slice(at + 1)] }
    const [, dashes = '', typed = '', value] = /^(--?)([^=]*)(?:=(.*))?$/s.exec(word) ?? []
    if (typed === 'help' || typed === 'h') found.help = true
    else if (isGlobal && (typed === 'version' || typed === 'v')) found.version = true
    else {
      const [name, flag] = findFlag(typed, table) ?? []
      if (!flag || name === undefined) throw unknownFlag(`${dashes}${typed}`, typed, table, isGlobal)
      const text = value ?? (flag.type === 'yes' ? 'true' : args[++at])
      keep(found.values, name, flag, text)
    }
  }
  return found
}

/** Keeps the value of an option. An empty text is the same as no option, as with runc: callers give variables that are empty. */
function keep(values: Words['values'], name: string, flag: OciFlag, text: string | undefined): void {
  if (text === '' && (flag.type === 'text' || flag.type === 'bytes') && !flag.words) {
    delete values[name]
    return
  }
  const value = parseFlagValue(`--${name}`, flag, text)
  const repeats: readonly FlagType[] = ['list', 'numbers']
  values[name] = repeats.includes(flag.type) ? [...((values[name] as unknown[] | undefined) ?? []), value] : value
}

function findFlag(typed: string, table: OciFlags): [name: string, flag: OciFlag] | undefined {
  return Object.entries(table).find(([name, { short }]) => typed !== '' && (name === typed || short === typed))
}

function unknownFlag(word: string, typed: string, table: OciFlags, isGlobal: boolean) {
  const near = nearest(typed, Object.keys(table))
  const early = !isGlobal && findFlag(typed, globalFlags) !== undefined
  return fail('OPTION_UNKNOWN', {
    name: word,
    nearest: early || near === undefined ? undefined : `--${near}`,
    instead: early ? `give ${word} before the command` : undefined,
    known: isGlobal ? 'hutch-oci --help lists the options' : 'add --help to the command to list its options',
  })
}
