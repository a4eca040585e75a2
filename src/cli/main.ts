// SPDX-License-Identifier: Apache-2.0
// The CLI's entry: finds the command, loads only that, and turns errors into lines and exit status 125.
import { closeSync, fstatSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fail, HutchError } from '../errors.ts'
import { enterFrontDoor, type FrontDoor } from '../front-door.ts'
import { nearest } from '../nearest.ts'
import { decodeNames, isOdd } from '../non-utf8.ts'
import { dropins } from './dropin/table.ts'
import { print } from './output.ts'
import { tell } from './stderr.ts'

declare const HUTCH_VERSION: string

type Command = { main(args: string[]): Promise<number> | number }

const commands: { [name: string]: [load: () => Promise<Command>, help: string] } = {
  run: [() => import('./run.ts'), 'run a command inside limits and namespaces'],
  compile: [() => import('./compile.ts'), 'write a run as one executable that needs no Node'],
  cgroup: [() => import('./cgroup.ts'), 'make, change, see and remove control groups'],
  top: [() => import('./top.ts'), 'all groups on a whole screen: use, limits, pressure; freeze, kill, change limits'],
  stats: [() => import('./stats.ts'), 'what groups use, every second, as docker stats'],
  ps: [() => import('./ps.ts'), 'the processes of groups, as a list or a tree'],
  dashboard: [() => import('./dashboard.ts'), 'all groups as a page in the browser: map, charts, events, limits'],
  metrics: [() => import('./metrics.ts'), 'all groups for Prometheus, or by OTLP'],
  record: [() => import('./record.ts'), 'keep what all groups do in a file, for a day'],
  replay: [() => import('./replay.ts'), 'show a recording as top does, or one moment of it as JSON'],
  hog: [() => import('./hog.ts'), 'allocate and touch memory, to see a limit work'],
  why: [() => import('./why.ts'), 'what stopped or slowed a process, a group or a run, and what to do'],
  rules: [() => import('./rules.ts'), 'place processes into groups by user, group and program'],
  doctor: [() => import('./doctor.ts'), 'what this host offers, what is missing, and how to get it'],
  links: [() => import('./links.ts'), 'put cgcreate, cgset, cgexec and the like into a directory as links to hutch'],
  tour: [() => import('./tour.ts'), 'see it work: each experiment run live and checked'],
}

function help(): string {
  const rows = Object.entries(commands).map(([name, [, text]]) => `  ${name.padEnd(9)} ${text}`)
  const names = Object.keys(dropins).join(' ')
  return `Usage: hutch COMMAND [OPTIONS]\n\n${rows.join('\n')}\n\nand, as cgroup-tools, util-linux and bubblewrap have them:\n\n  ${names}\n\nhutch COMMAND --help says more.\n`
}

/** Those that have options of their own which errors name. */
function doorOf(name: string): FrontDoor {
  return name === 'bwrap' || name === 'unshare' || name === 'nsenter' ? name : 'cgroup-tools'
}

function dropinOf(name: string | undefined) {
  return name !== undefined && Object.hasOwn(dropins, name) ? dropins[name] : undefined
}

async function main(args: string[]): Promise<number> {
  // a link of that name: see links.ts
  const called = basename(process.argv[1] ?? '')
  const dropin = dropinOf(called) ?? dropinOf(args[0])
  enterFrontDoor(dropin ? doorOf(dropinOf(called) ? called : args[0]!) : 'cli')
  if (dropin) return (await dropin()).main(dropinOf(called) ? args : args.slice(1))
  const [name, ...rest] = args
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    print(help())
    return name === undefined ? 125 : 0
  }
  if (name === '--version') {
    print(`hutch ${HUTCH_VERSION}\n`)
    return 0
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (!command)
    throw fail('COMMAND_UNKNOWN', { name, nearest: nearest(name, [...Object.keys(commands), ...Object.keys(dropins)]) })
  return (await command[0]()).main(rest)
}

/** Ends hutch. Standard streams whose terminal has hung up are closed first: Node aborts if it cannot restore a terminal's settings. */
async function end(status: number): Promise<never> {
  for (const fd of [0, 1, 2])
    try {
      const { rdev } = fstatSync(fd)
      // 0: no device; 1: /dev/null and the like
      if (rdev >>> 8 > 1 && !(await import('node:tty')).isatty(fd)) closeSync(fd)
    } catch {
      // closed already
    }
  process.exit(status)
}

/** Arguments as they were given: Node reads them as UTF-8, and some names of files are not. */
function readArguments(): string[] {
  const args = process.argv.slice(2)
  if (!args.some(isOdd)) return args
  const all = readFileSync('/proc/self/cmdline').toString('latin1').split('\0').slice(0, -1)
  return all.slice(all.length - args.length).map((text) => decodeNames(Buffer.from(text, 'latin1')))
}

main(readArguments()).then(end, (error: unknown) => {
  tell(`hutch: ${HutchError.is(error) ? error.message : ((error as Error).stack ?? String(error))}\n`)
  return end(125)
})
