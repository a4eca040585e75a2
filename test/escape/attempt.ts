// SPDX-License-Identifier: Apache-2.0
// What an attempt is, as data; the kinds of containers that it is made in; and how it is run in one, or without hutch.
import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type RunOptions, run } from '../../src/index.ts'
import { optionFlags } from '../../src/plan/options.ts'

/** Each container: root, all namespaces but that of users, a busybox image, and what is added here. */
export const kinds: { [kind: string]: RunOptions } = {
  rootfs: { isolate: 'all' },
  // what capabilities, namespaces and covers refuse by themselves
  unfiltered: { isolate: 'all', seccomp: 'none' },
  strict: { isolate: 'all', seccomp: 'strict' },
  // as soon as there is the option
  ...('sandbox' in optionFlags ? { sandbox: { sandbox: true } as RunOptions } : {}),
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
  /** How the control ends on a kernel that has no such thing. */
  absent?: string
  /** Kinds of container in which it gets through, with the reason why that is so. */
  open?: { [kind: string]: string }
}

/** Milliseconds that it may take: gcc is slow in a VM without KVM. */
export const building = 300_000

/** Builds the program. */
export function buildProgram(to: string): void {
  const folder = fileURLToPath(new URL('program', import.meta.url))
  const sources = readdirSync(folder)
    .filter((name) => name.endsWith('.c'))
    .map((name) => `${folder}/${name}`)
  const warnings = ['-Wall', '-Wextra', '-Werror', '-Wshadow']
  execFileSync('gcc', ['-std=gnu11', '-O0', '-static', ...warnings, '-D_GNU_SOURCE', '-o', to, ...sources])
}

const split = (words: string, ground: Ground) => fill(words, ground).split(' ')

function fill(word: string, ground: Ground): string {
  return word.replace(/\$(\w+)/g, (_all, name: string) => {
    if (ground[name] === undefined) throw new Error(`no ${name} in the ground`)
    return ground[name]
  })
}

/** In a container of these options: what the program said, or the signal and the reason. */
export async function inside(words: string, options: RunOptions, ground: Ground): Promise<string> {
  const { stdout, stderr, signal, reason, status } = await run('/bin/attempt', split(words, ground), {
    rootfs: ground.image!,
    ...options,
  })
  return signal ? `ended by ${signal}: ${reason}` : `${stdout}`.trim() || `${stderr} (${status})`
}

/** Without hutch. */
export function control(attempt: Attempt, ground: Ground): Promise<string> | string {
  const { words, control: how } = attempt
  if (typeof how === 'object' && 'loosened' in how)
    return inside(how.words ?? words, { ...attempt.options, ...how.loosened }, ground)
  const own = split(typeof how === 'object' ? how.outside : words, ground)
  const chroot = how === 'chrooted' ? ['chroot', ground.image!] : []
  const [command, ...rest] =
    how === 'chrooted' ? [...chroot, '/bin/attempt', ...own] : [`${ground.image}/bin/attempt`, ...own]
  // descriptor 3 is one that was left open: /
  const words3 = ['-c', 'exec 3</; exec "$@"', 'sh', command!, ...rest]
  const { stdout, stderr, signal } = spawnSync('/bin/sh', words3, { cwd: '/', encoding: 'utf8', timeout: 120_000 })
  return signal ? `ended by ${signal}` : stdout.trim() || stderr
}
