// SPDX-License-Identifier: Apache-2.0
// hutch rules apply|watch|test: cgrulesengd's job.
import { setPriority } from 'node:os'
import { fail, HutchError, quote } from '../errors.ts'
import { readIds, readUser } from '../host/ids.ts'
import { nearest } from '../nearest.ts'
import { formatJson } from '../quote.ts'
import { findUnknown, loadRules } from '../rules/load.ts'
import { directoryOf, findRule, findTargets } from '../rules/match.ts'
import { parseWho, type Rule } from '../rules/parse.ts'
import { formatTarget, isMade, type Placed } from '../rules/place.ts'
import { readPids, readProcess } from '../rules/process.ts'
import { defaultSocket, listenSticky } from '../rules/sticky.ts'
import { placeAll, startWatch } from '../rules/watch.ts'
import { type FlagTable, formatFlags, parseFlags } from './flags.ts'
import { print as printText } from './output.ts'
import { tell as tellText } from './stderr.ts'

const file: FlagTable = {
  file: { value: 'FILE', help: 'the rules (/etc/cgrules.conf, then all of /etc/cgrules.d)' },
  templates: { value: 'FILE', help: 'templates of groups (/etc/cgconfig.conf, then /etc/cgconfig.d/*.conf)' },
}
const verbs: { [verb: string]: { usage: string; flags: FlagTable; run: (given: Given) => number | Promise<number> } } =
  {
    apply: {
      usage: 'hutch rules apply [OPTIONS] [PID…]\n\nMoves the processes there are, or those named, once.',
      flags: {
        ...file,
        'dry-run': { help: 'say what would be moved, and move nothing' },
        json: { help: 'print what was done as JSON' },
      },
      run: apply,
    },
    watch: {
      usage:
        'hutch rules watch [OPTIONS]\n\nMoves the processes there are, and then each that runs a program or changes its user or group.\nSIGHUP or SIGUSR2 reads the rules again, SIGTERM or SIGINT ends it.',
      flags: {
        ...file,
        socket: { value: 'PATH', help: `where cgexec --sticky asks (${defaultSocket})` },
        'no-socket': { help: 'take no such requests' },
        json: { help: 'print each move as a line of JSON' },
      },
      run: watch,
    },
    test: {
      usage:
        'hutch rules test [OPTIONS] USER[:PROGRAM]\n\nSays which line is for such a process, and where it sends it.',
      flags: { ...file, json: { help: 'print it as JSON' } },
      run: test,
    },
  }

interface Given {
  values: { [name: string]: string[] }
  rest: string[]
}

export function main(args: string[]): number | Promise<number> {
  const [name = '', ...rest] = args
  const verb = Object.hasOwn(verbs, name) ? verbs[name] : undefined
  if (name === '--help' || name === '-h') {
    printText(`Usage: hutch rules apply|watch|test\n\nhutch rules apply --help and so on say more.\n`)
    return 0
  }
  if (!verb) {
    const close = nearest(name, Object.keys(verbs))
    throw fail('COMMAND_UNKNOWN', { name: `rules ${name}`, nearest: `rules ${close ?? 'apply, watch or test'}` })
  }
  const given = parseFlags(rest, verb.flags)
  if (!given.values.help) return verb.run(given)
  printText(`Usage: ${verb.usage}\n\n${formatFlags(verb.flags)}\n`)
  return 0
}

function apply({ values, rest }: Given): number {
  const rules = load(values)
  const all: Placed[] = []
  const pids = rest.length > 0 ? rest.map(parsePid) : readPids()
  const dry = values['dry-run'] !== undefined
  placeAll(rules, pids, dry, (placed) => {
    all.push(placed)
    if (!values.json) print(placed, dry ? 'would move' : 'moved')
  })
  if (values.json) printText(`${formatJson(all.map(toJSON), 2)}\n`)
  return all.some((placed) => placed.failed.length > 0) ? 1 : 0
}

async function watch({ values, rest }: Given): Promise<number> {
  if (rest.length > 0) throw fail('OPTION_UNKNOWN', { name: rest[0]!, known: 'hutch rules watch takes options alone' })
  const rules = load(values)
  const ended = new Promise<number>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(0))
    // a reader that went away ends it like a signal
    process.stdout.on('error', () => resolve(0))
  })
  const said = new Set<string>()
  const report = (placed: Placed) => {
    // one group that is missing is one message, not one for every process
    const failed = placed.failed.filter((error) => !said.has(keyOf(error)))
    for (const error of failed) if (said.size < 10_000) said.add(keyOf(error))
    if (placed.moved.length + failed.length === 0) return
    if (values.json) process.stdout.write(`${formatJson(toJSON({ ...placed, failed }))}\n`)
    else print({ ...placed, failed }, 'moved')
  }
  hurry()
  const running = startWatch(rules, report, () => tell('events were lost: looking at all processes again'))
  try {
    const path = values.socket?.[0] ?? defaultSocket
    const socket = values['no-socket'] ? undefined : await listenSticky(path, running.stick)
    // SIGUSR1, too: by itself Node would answer it with a debugger's port
    for (const signal of ['SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const)
      process.on(signal, () => {
        try {
          const next = load(values)
          said.clear()
          running.reload(next)
          tell(`${count(next)} read again`)
        } catch (error) {
          tell(`${HutchError.is(error) ? error.message : String(error)}\nhutch: the rules stay as they were`)
        }
      })
    tell(`watching, with ${count(rules)}`)
    const status = await ended
    socket?.close()
    return status
  } finally {
    running.stop()
  }
}

/** What is to be put inside limits must not keep us from doing it; the thread that waits for the kernel inherits it. */
function hurry(): void {
  try {
    setPriority(-15)
  } catch {
    // not root: then it goes without
  }
}

/** A failure without the process that it came up with. */
function keyOf({ code, path, errno }: HutchError): string {
  return `${code} ${path} ${errno}`
}

function test({ values, rest: [who, ...more] }: Given): number {
  if (who === undefined || more.length > 0) throw fail('COMMAND_MISSING', { usage: 'hutch rules test USER[:PROGRAM]' })
  const { who: user, program = '' } = parseWho(who, 'hutch rules test')
  if (user.kind !== 'user')
    throw fail('OPTION_INVALID', { name: 'USER', value: who, why: 'it is no user', accepted: 'a user, not a group' })
  const { uid, gid } = readUser(user.name, 'hutch rules test')
  const ids = readIds()
  const here = readProcess(process.pid)!
  const like = { ...here, pid: 0, uid, gid, program, realtime: false }
  const rule = findRule(load(values), like, ids)
  const { targets, missing } = rule && !rule.ignore ? findTargets(rule, like, ids) : { targets: [], missing: [] }
  if (values.json) {
    const to = targets.map((target) => ({
      controllers: target.controllers,
      group: directoryOf(target),
      line: target.origin,
    }))
    printText(`${formatJson({ rule: rule?.origin ?? null, ignore: rule?.ignore ?? false, to, missing }, 2)}\n`)
  } else if (!rule) printText(`${who}: no rule is for it\n`)
  else {
    printText(`${who}: ${rule.origin}${rule.ignore ? ' (ignore: it stays where it is)' : ''}\n`)
    for (const target of targets) {
      const state = isMade(target) ? '' : target.templated ? ' (is made when needed)' : ' (is not there)'
      printText(`  ${formatTarget(target).padEnd(30)} ${directoryOf(target)}${state}\n`)
    }
    for (const controller of missing) printText(`  ${controller.padEnd(30)} this host has no such hierarchy\n`)
  }
  return rule ? 0 : 1
}

function load(values: Given['values']): Rule[] {
  const rules = loadRules(values.file?.[0], values.templates?.[0])
  for (const unknown of findUnknown(rules, readIds())) tell(unknown)
  return rules
}

function parsePid(text: string): number {
  if (/^[1-9]\d{0,9}$/.test(text)) return Number(text)
  throw fail('OPTION_INVALID', { name: 'PID', value: text, why: 'it is no process id', accepted: 'a number' })
}

function count(rules: readonly Rule[]): string {
  return `${rules.length} ${rules.length === 1 ? 'rule' : 'rules'}`
}

function tell(text: string): void {
  tellText(`hutch: ${text}\n`)
}

function print({ pid, program, moved, failed, rule }: Placed, verb: string): void {
  if (moved.length > 0)
    process.stdout.write(`${verb} ${pid} ${quote(program)} to ${moved.map(formatTarget).join(' ')} (${rule})\n`)
  for (const error of failed) tell(error.message)
}

function toJSON({ pid, program, uid, rule, moved, failed }: Placed) {
  const to = moved.map((target) => ({
    controllers: target.controllers,
    group: directoryOf(target),
    line: target.origin,
  }))
  return { pid, program, uid, rule, moved: to, failed: failed.map((error) => error.toJSON()) }
}
