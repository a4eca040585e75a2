// SPDX-License-Identifier: Apache-2.0
// hutch rules apply|watch|test: assigns processes to groups by rules, as cgrulesengd does.

import { fail, HutchError, nameOptions, quote } from '../errors/errors.ts'
import { readIds, readUser } from '../host/passwd.ts'
import { commandNames } from '../options/names.ts'
import { findUnknown, loadRules } from '../rules/load.ts'
import { findRule, findTargets, targetDirectory } from '../rules/match.ts'
import { formatTarget, isMade, type MoveResult } from '../rules/move.ts'
import { parseWho, type Rule } from '../rules/parse.ts'
import { readPids, readWatchedProcess } from '../rules/process.ts'
import { defaultSocket, listenSticky } from '../rules/sticky.ts'
import { moveAll, startWatch } from '../rules/watch.ts'
import { setPriority } from '../system/processes.ts'
import { writeStderr } from '../system/stderr.ts'
import { print as printText } from '../system/stdout.ts'
import { formatJson } from '../text/quote.ts'
import type { Command, CommandGroup } from './command.ts'
import type { FlagTable, Parsed } from './flags.ts'

const file: FlagTable = {
  file: { value: 'FILE', help: 'File with the rules.', default: '/etc/cgrules.conf, then all files of /etc/cgrules.d' },
  templates: {
    value: 'FILE',
    help: 'File with templates of groups.',
    default: '/etc/cgconfig.conf, then /etc/cgconfig.d/*.conf',
  },
}

const verbs: { [verb: string]: [summary: string, command: Command] } = {
  apply: [
    'Move the running processes, or those that are named, once',
    {
      words: '[PID…]',
      flags: {
        ...file,
        'dry-run': { help: 'Print what would be moved, and move nothing.' },
        json: { help: 'Print the result as JSON.' },
      },
      main: apply,
    },
  ],
  watch: [
    'Move processes as they start a program or change their user',
    {
      words: '',
      details:
        'Moves the processes that run now, then each process that executes a program or changes its user or group.\nSIGHUP or SIGUSR2 reads the rules again; SIGTERM or SIGINT ends it.',
      flags: {
        ...file,
        socket: { value: 'PATH', help: 'Socket for cgexec --sticky.', default: defaultSocket },
        'no-socket': { help: 'Do not listen for cgexec --sticky.' },
        json: { help: 'Print each move as a line of JSON.' },
      },
      maxWords: 0,
      main: watch,
    },
  ],
  test: [
    'Print the rule for a user and a program, and its groups',
    {
      words: 'USER[:PROGRAM]',
      flags: { ...file, json: { help: 'Print the result as JSON.' } },
      minWords: 1,
      maxWords: 1,
      statuses: [
        ['0', 'a rule applies'],
        ['1', 'no rule applies'],
      ],
      main: test,
    },
  ],
}

export const command: CommandGroup = {
  verbs: Object.fromEntries(
    Object.entries(verbs).map(([name, [summary, verb]]) => [name, { summary, load: () => ({ command: verb }) }]),
  ),
}

function apply({ values, rest }: Parsed): number {
  const rules = load(values)
  const all: MoveResult[] = []
  const pids = rest.length > 0 ? rest.map(parsePid) : readPids()
  const dry = values['dry-run'] !== undefined
  moveAll(rules, pids, dry, (placed) => {
    all.push(placed)
    if (!values.json) print(placed, dry ? 'would move' : 'moved')
  })
  if (values.json) printText(`${formatJson(all.map(toJSON), 2)}\n`)
  return all.some((placed) => placed.failed.length > 0) ? 1 : 0
}

async function watch({ values }: Parsed): Promise<number> {
  const rules = load(values)
  const ended = new Promise<number>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(0))
    // if stdout is closed, the command ends as at a signal
    process.stdout.on('error', () => resolve(0))
  })
  const said = new Set<string>()
  const report = (placed: MoveResult) => {
    // a missing group is reported once, and not for every process
    const failed = placed.failed.filter((error) => !said.has(keyOf(error)))
    for (const error of failed) if (said.size < 10_000) said.add(keyOf(error))
    if (placed.moved.length + failed.length === 0) return
    if (values.json) process.stdout.write(`${formatJson(toJSON({ ...placed, failed }))}\n`)
    else print({ ...placed, failed }, 'moved')
  }
  hurry()
  const running = startWatch(rules, report, () => printLine('events were lost: checking all processes again'))
  try {
    const path = values.socket?.[0] ?? defaultSocket
    const socket = values['no-socket'] ? undefined : await listenSticky(path, running.stick)
    // the handler must exist: without it, SIGUSR1 would open Node's debugger port
    for (const signal of ['SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const)
      process.on(signal, () => {
        try {
          const next = load(values)
          said.clear()
          running.reload(next)
          printLine(`${count(next)} read again`)
        } catch (error) {
          printLine(`${messageOf(error)}\nhutch: the rules stay as they were`)
        }
      })
    printLine(`watching, with ${count(rules)}`)
    const status = await ended
    socket?.close()
    return status
  } finally {
    running.stop()
  }
}

/**
 * Raises the priority of this process, so that the processes that it should limit cannot delay it. The thread that waits for the kernel
 * inherits the priority.
 */
function hurry(): void {
  try {
    setPriority(-15)
  } catch {
    // without root, the priority cannot be raised: continue
  }
}

/** Returns a key that is the same for the same error of different processes, so that it is reported once. */
function keyOf({ code, path, errno }: HutchError): string {
  return `${code} ${path} ${errno}`
}

function test({ values, rest: [who = ''] }: Parsed): number {
  const { who: user, program = '' } = parseWho(who, 'hutch rules test')
  if (user.kind !== 'user')
    throw fail('OPTION_INVALID', { name: 'USER', value: who, why: 'not a user', accepted: 'a user, not a group' })
  const { uid, gid } = readUser(user.name, 'hutch rules test')
  const ids = readIds()
  const here = readWatchedProcess(process.pid)!
  const like = { ...here, pid: 0, uid, gid, program, realtime: false }
  const rule = findRule(load(values), like, ids)
  const { targets, missing } = rule && !rule.ignore ? findTargets(rule, like, ids) : { targets: [], missing: [] }
  if (values.json) {
    const to = targets.map((target) => ({
      controllers: target.controllers,
      group: targetDirectory(target),
      line: target.origin,
    }))
    printText(`${formatJson({ rule: rule?.origin ?? null, ignore: rule?.ignore ?? false, to, missing }, 2)}\n`)
  } else if (!rule) printText(`${who}: no rule matches\n`)
  else {
    printText(`${who}: ${rule.origin}${rule.ignore ? ' (ignore: it is not moved)' : ''}\n`)
    for (const target of targets) {
      const state = isMade(target) ? '' : target.templated ? ' (created when needed)' : ' (is not there)'
      printText(`  ${formatTarget(target).padEnd(30)} ${targetDirectory(target)}${state}\n`)
    }
    for (const controller of missing) printText(`  ${controller.padEnd(30)} this host has no such hierarchy\n`)
  }
  return rule ? 0 : 1
}

function load(values: Parsed['values']): Rule[] {
  const rules = loadRules(values.file?.[0], values.templates?.[0])
  for (const unknown of findUnknown(rules, readIds())) printLine(unknown)
  return rules
}

function parsePid(text: string): number {
  if (/^[1-9]\d{0,9}$/.test(text)) return Number(text)
  throw fail('OPTION_INVALID', { name: 'PID', value: text, why: 'not a process id', accepted: 'a number' })
}

function count(rules: readonly Rule[]): string {
  return `${rules.length} ${rules.length === 1 ? 'rule' : 'rules'}`
}

function messageOf(error: unknown): string {
  return HutchError.is(error) ? nameOptions(error, commandNames({})).message : String(error)
}

function printLine(text: string): void {
  writeStderr(`hutch: ${text}\n`)
}

function print({ pid, program, moved, failed, rule }: MoveResult, verb: string): void {
  if (moved.length > 0)
    process.stdout.write(`${verb} ${pid} ${quote(program)} to ${moved.map(formatTarget).join(' ')} (${rule})\n`)
  for (const error of failed) printLine(messageOf(error))
}

function toJSON({ pid, program, uid, rule, moved, failed }: MoveResult) {
  const to = moved.map((target) => ({
    controllers: target.controllers,
    group: targetDirectory(target),
    line: target.origin,
  }))
  return { pid, program, uid, rule, moved: to, failed: failed.map((error) => error.toJSON()) }
}
