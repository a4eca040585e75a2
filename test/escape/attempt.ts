// SPDX-License-Identifier: Apache-2.0
// What an attempt is, as data; the kinds of containers that it is made in; and how it is run in one, or without hutch.
import { spawnSync } from 'node:child_process'
import { closeSync, openSync, readdirSync } from 'node:fs'
import { type RunOptions, run, type StartOptions } from '../../src/index.ts'
import { compile } from '../support/compile.ts'

/** Each container: root, all namespaces but that of users, a busybox image, and what is added here. */
export const kinds: { [kind: string]: RunOptions } = {
  rootfs: { isolate: 'all' },
  // what capabilities, namespaces and covers refuse by themselves
  unfiltered: { isolate: 'all', seccomp: 'none' },
  strict: { isolate: 'all', seccomp: 'strict' },
  // as soon as there is the option
  sandbox: { sandbox: true } as RunOptions,
}

/** What the test has put in the attempts' way: `$name` in their words. */
export type Ground = { [name: string]: string }

/** How the same attempt gets through: by plain spawn, as root; below a chroot(2) of the image; in a container with more options. */
export type Control = 'outside' | 'chrooted' | { outside: string } | { loosened: RunOptions; words?: string }

export interface Attempt {
  /** The hole, by its CVE where it has one. */
  what: string
  /** Name of the attempt in program/, and its arguments. */
  words: string
  /** What is told in the end, where that is not a plain refusal. */
  ends?: RegExp
  options?: RunOptions
  control: Control
  /** How the control ends on a kernel or file system that has no such thing: one error, or several with | between. */
  absent?: string
  /** Kinds of container in which it gets through, with the reason why that is so. */
  open?: { [kind: string]: string }
  /** What its standard input is. */
  stdin?: { path: string; flags: number }
  /** Hears the caller's descriptor of that, before the attempt. */
  streams?: (fd: number) => void
  /** What is to be seen outside: prepared, and whether it was reached. What the attempt itself reports does not count then. */
  before?: () => void
  reached?: () => Promise<boolean>
}

/** Builds the program. */
export function buildProgram(to: string): void {
  const folder = 'test/escape/program'
  const sources = readdirSync(folder).map((name) => `${folder}/${name}`)
  compile(to, sources, ['-O0', '-static'])
}

const split = (words: string, ground: Ground) => fill(words, ground).split(' ')

function fill(word: string, ground: Ground): string {
  return word.replace(/\$(\w+)/g, (_all, name: string) => {
    if (ground[name] === undefined) throw new Error(`no ${name} in the ground`)
    return ground[name]
  })
}

/** In a container of these options: how it ended, as the program or as the caller saw it. */
export function inside(attempt: Attempt, options: RunOptions, ground: Ground): Promise<string> {
  return watched(attempt, ground, async (stdin) => {
    const stdio = stdin === 'ignore' ? {} : { stdio: [stdin, 'pipe', 'pipe'] as const }
    try {
      return await contained(attempt.words, { ...options, ...attempt.options, ...stdio }, ground)
    } catch (error) {
      if (!attempt.stdin) throw error
      return `not started: ${(error as { code?: string }).code}`
    }
  })
}

/** Opens what the attempt's standard input is, and looks from outside at what it reached. */
async function watched(
  attempt: Attempt,
  ground: Ground,
  make: (stdin: number | 'ignore') => Promise<string>,
): Promise<string> {
  const stdin = attempt.stdin ? openSync(fill(attempt.stdin.path, ground), attempt.stdin.flags) : 'ignore'
  try {
    if (stdin !== 'ignore') attempt.streams?.(stdin)
    attempt.before?.()
    const end = await make(stdin)
    if (!attempt.reached) return end
    return (await attempt.reached()) ? 'got through' : end === 'got through' ? 'refused: EUNSEEN' : end
  } finally {
    if (stdin !== 'ignore') closeSync(stdin)
  }
}

/** What the program said, or the signal and the reason. */
async function contained(words: string, options: StartOptions, ground: Ground): Promise<string> {
  const { stdout, stderr, signal, reason, status } = await run('/bin/attempt', split(words, ground), {
    rootfs: ground.image!,
    ...options,
  })
  return signal ? `ended by ${signal}: ${reason}` : `${stdout}`.trim() || `${stderr} (${status})`
}

/** Without hutch. */
export function control(attempt: Attempt, ground: Ground): Promise<string> {
  return watched(attempt, ground, (stdin) => uncontained(attempt, ground, stdin))
}

async function uncontained(attempt: Attempt, ground: Ground, stdin: number | 'ignore'): Promise<string> {
  const { words, control: how } = attempt
  if (typeof how === 'object' && 'loosened' in how)
    return contained(how.words ?? words, { ...attempt.options, ...how.loosened }, ground)
  const own = split(typeof how === 'object' ? how.outside : words, ground)
  const chroot = how === 'chrooted' ? ['chroot', ground.image!] : []
  const [command, ...rest] =
    how === 'chrooted' ? [...chroot, '/bin/attempt', ...own] : [`${ground.image}/bin/attempt`, ...own]
  // descriptor 3 is one that was left open: /. The shell stays, so that a child which its parent must wait for is not this process's
  const words3 = ['-c', 'exec 3</; "$@"; exit $?', 'sh', command!, ...rest]
  const { stdout, stderr, signal } = spawnSync('/bin/sh', words3, {
    cwd: '/',
    encoding: 'utf8',
    timeout: 120_000,
    stdio: [stdin, 'pipe', 'pipe'],
  })
  return signal ? `ended by ${signal}` : stdout.trim() || stderr
}
