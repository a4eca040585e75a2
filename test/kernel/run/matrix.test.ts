// SPDX-License-Identifier: Apache-2.0
// One end, five ways to ask: run, a pool, a compiled file, the report, and why of the group. No way may contradict another. The table is printed.
// In a VM only in `npm run test:kernels`.
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, type expect, test } from 'vitest'
import { readHost } from '../../../src/host/host.ts'
import { Cgroup, createPool, run, type StartOptions, why } from '../../../src/index.ts'
import { buildDirectory } from '../../../src/system/native.ts'
import { formatSize } from '../../../src/text/units.ts'
import type { Cause, CauseKind } from '../../../src/verdict/cause.ts'
import { collect } from '../../cli/hutch.ts'
import { hutchArgs, hutchFile } from '../../support/command.ts'
import { requires } from '../../support/requires.ts'
import { sampled } from '../../support/sample.ts'

const hog = `${buildDirectory}/bin/hutch hog`
const work = mkdtempSync('/var/tmp/hutch-matrix-')
const file = `${work}/cached`
writeFileSync(file, Buffer.alloc(24 * 2 ** 20))
const table: string[][] = [['case', 'run', 'pool', 'compiled', 'report', 'why GROUP']]
afterAll(() => {
  rmSync(work, { recursive: true })
  rmSync(shared, { force: true })
  const widths = table[0]!.map((_, i) => Math.max(...table.map((row) => row[i]!.length)))
  console.log(table.map((row) => row.map((cell, i) => cell.padEnd(widths[i]!)).join('  ')).join('\n'))
})

/** Files by which a job and its neighbour wait for each other. */
const [ready, over] = [`${work}/ready`, `${work}/over`]
/** Outside it is the host's, which has room. */
const shared = '/dev/shm/hutch-test-matrix'
const tool = `${work}/tool`
writeFileSync(tool, '#!/bin/sh\n')
chmodSync(tool, 0o755)
/** A shell sets the memory limit of its own group. */
const lower =
  readHost().layout === 'v2'
    ? `echo 24M > ${readHost().unified!.mount}$(sed -n 's/^0:://p' /proc/self/cgroup)/memory.max;`
    : `echo 24M > ${readHost().v1.memory?.mount}$(sed -n 's/^.*:memory://p' /proc/self/cgroup)/memory.limit_in_bytes;`

interface Case {
  title: string
  script: string
  /** The layout on which alone it can be made. */
  only?: 'v1 controllers' | 'v2' | 'a v2 tree'
  /** In place of the shell. */
  argv?: string[]
  /** Kernel files of the job's own group, of one above it. */
  own?: { [file: string]: string | number }
  above?: { [file: string]: string | number }
  options?: StartOptions
  /** The same options of `hutch compile`. */
  flags?: string[]
  /** What a neighbour does meanwhile, below the same group: it begins once `ready` exists, and makes `over` at its end. */
  neighbour?: string
  /** What ended it, or happened without ending it. */
  kind: CauseKind
  side?: CauseKind
  level?: 'own' | 'ancestor'
  /** Of the limit, at the end. */
  value?: number
  /** Of a group, whose jobs' ends are not known: what happened in it; absent: nothing that a group tells of. */
  found?: CauseKind
}

const tight = { 'memory.max': '24M', ...(readHost().layout === 'v2' && { 'memory.swap.max': 0 }) }
const forks = 'i=0; while [ $i -lt 9 ]; do sleep 1 & i=$((i + 1)); done'
const cases: Case[] = [
  { title: 'killed', script: `exec ${hog} 60M`, own: tight, kind: 'oom', level: 'own', found: 'oom' },
  { title: 'a child killed', script: `${hog} 60M; exit 137`, own: tight, kind: 'oom', level: 'own', found: 'oom' },
  {
    title: 'a kill lived through',
    script: `${hog} 60M; exit 3`,
    own: tight,
    kind: 'exited',
    side: 'oom',
    level: 'own',
    found: 'oom',
  },
  {
    title: 'killed by a limit above',
    script: `exec ${hog} 60M`,
    above: tight,
    kind: 'oom',
    level: 'ancestor',
    found: 'oom',
  },
  {
    title: 'killed by a limit above, own limit full of page cache',
    script: `cat ${file} >/dev/null; exec ${hog} 90M`,
    own: { 'memory.max': '60M' },
    above: tight,
    kind: 'oom',
    level: 'ancestor',
    found: 'oom',
  },
  {
    title: 'forks refused',
    script: forks,
    own: { 'pids.max': 5 },
    kind: 'fork-refused',
    level: 'own',
    found: 'fork-refused',
  },
  {
    title: 'forks refused by a limit above',
    script: forks,
    above: { 'pids.max': 5 },
    kind: 'fork-refused',
    level: 'ancestor',
    found: 'fork-refused',
  },
  {
    title: 'held back by cpu.max',
    script: 'while :; do :; done',
    own: { 'cpu.max': '10000 100000' },
    options: { timeout: 1000 },
    flags: ['--timeout', '1s'],
    kind: 'timeout',
    side: 'throttled',
    found: 'throttled',
  },
  {
    title: 'a timeout',
    script: 'exec sleep 30',
    options: { timeout: 300 },
    flags: ['--timeout', '300ms'],
    kind: 'timeout',
  },
  {
    title: 'stopped by a signal',
    script: 'kill -STOP $$',
    options: { timeout: 800 },
    flags: ['--timeout', '800ms'],
    kind: 'timeout',
    side: 'stopped',
  },
  {
    title: 'ulimit cpu, by SIGKILL',
    script: 'while :; do :; done',
    options: { ulimits: { cpu: 1 } },
    flags: ['--ulimit', 'cpu=1'],
    kind: 'ulimit',
  },
  {
    title: 'killed at a limit by its v1 name',
    script: `exec ${hog} 60M`,
    only: 'v1 controllers',
    own: { 'memory.limit_in_bytes': '24M' },
    kind: 'oom',
    level: 'own',
    found: 'oom',
  },
  { title: 'no such program', script: 'exit 127', argv: ['hutch-no-such-program'], kind: 'exec-failed' },
  { title: 'exited', script: 'exit 3', kind: 'exited' },
  { title: 'a fault', script: 'kill -SEGV $$', kind: 'signal' },
]

cases.push(
  {
    title: 'slowed by memory.high',
    script: 'exec tail /dev/zero',
    only: 'v2',
    own: { 'memory.high': '16M', 'memory.max': '400M', 'memory.swap.max': 0 },
    options: { timeout: 4000 },
    flags: ['--timeout', '4s'],
    kind: 'timeout',
    side: 'slowed',
    found: 'slowed',
  },
  {
    title: 'frozen',
    // without a further program: on a slow machine the first start of one can take as long as the job has
    script: `while read -r line; do case $line in 0::*) own=\${line#0::} ;; esac; done </proc/self/cgroup; echo 1 > ${readHost().unified?.mount}$own/cgroup.freeze; exec sleep 30`,
    only: 'a v2 tree',
    options: { timeout: 2000, killAfter: 0 },
    flags: ['--kill-after', '0', '--timeout', '2s'],
    kind: 'timeout',
    side: 'frozen',
    found: 'frozen',
  },
  {
    title: 'killed at a limit that was lowered while it ran',
    script: `${lower} exec ${hog} 60M`,
    own: { 'memory.max': '200M' },
    kind: 'oom',
    level: 'own',
    value: 24 * 2 ** 20,
    found: 'oom',
  },
  {
    title: '/dev/shm is full',
    script: `exec head -c 3M /dev/zero > ${shared}`,
    options: { mounts: [{ tmpfs: '/dev/shm:size=1M' }] },
    flags: ['--tmpfs', '/dev/shm:size=1M'],
    kind: 'space',
  },
  {
    title: 'a program of the host that is not inside',
    script: 'exit 127',
    argv: [tool],
    options: { sandbox: true },
    flags: ['--sandbox'],
    kind: 'not-inside',
  },
  {
    title: "a neighbour's forks refused",
    script: `: > ${ready}; while [ ! -e ${over} ]; do :; done; exit 1`,
    above: { 'pids.max': 12 },
    neighbour: 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 1 & done',
    kind: 'exited',
  },
)

let serial = 0

test.for(sampled(cases, true).map((one) => [one.title, one] as const))(
  '%s is the same by all',
  {
    timeout: 120_000,
  },
  async ([title, made], context) => {
    requires(context, 'root', ...(made.only ? [made.only] : []))
    const group = (more: string, files: object = {}) =>
      Cgroup.create(`/hutch-test-${process.pid}-${++serial}${more}`, { files: files as never })
    await using parent = await group('-jobs', made.above)
    await using above = await group('-kept', made.above)
    const limits = made.own ?? 'none'
    const { timeout, ...plan } = made.options ?? {}
    const options = { ...plan, limits, parent: parent.path } as StartOptions
    const [program, ...argv] = argvOf(made) as [string, ...string[]]
    const alone = await beside(made, parent, () =>
      run(program, argv, timeout === undefined ? options : { ...options, timeout }),
    )
    const pool = await createPool({ size: 1, plan: options })
    const pooled = await beside(made, parent, () =>
      pool.run([program, ...argv], timeout === undefined ? {} : { timeout }),
    ).finally(() => pool.close())
    const own = await Cgroup.create(`${above.path}/own`, { files: (made.own ?? {}) as never })
    const found = await beside(made, above, () => inGroup(own, made))
    const file = await beside(made, parent, () => compiled(made, parent.path))
    const row = [alone.cause, pooled.cause, file, why(alone).cause, found]
    table.push([title, ...row.map((cell) => ('text' in cell ? cell.text : cellOf(cell)))])
    const { expect } = context
    for (const cause of [row[0], row[1], row[3]] as Cause[]) expectEnd(expect, cause, made)
    expectSaid(expect, file, alone.cause, made)
    expectFound(expect, found, made)
  },
)

const joining = ({ directories }: Cgroup) =>
  [...new Set(Object.values(directories))].map((at) => `echo 0 > ${at}/cgroup.procs;`).join(' ')

/** Runs `job` with its neighbour beside it. */
async function beside<Result>({ neighbour }: Case, above: Cgroup, job: () => Promise<Result>): Promise<Result> {
  if (neighbour === undefined) return job()
  for (const file of [ready, over]) rmSync(file, { force: true })
  await using other = await Cgroup.create(`${above.path}/beside`)
  const result = job()
  while (!existsSync(ready)) await pause(10)
  await collect('sh', ['-c', `${joining(other)} ${neighbour}`])
  writeFileSync(over, '')
  return result
}

/** The same script by a shell that nobody watches, and what the group tells then. */
async function inGroup(own: Cgroup, { script, flags }: Case): Promise<Cause> {
  const stop = flags?.includes('--timeout') ? Number.parseInt(flags.at(-1)!, 10) * 1000 : 2000
  const shell = ['sh', '-c', `${joining(own)} ${script}`]
  await collect('timeout', ['--signal', 'KILL', `${(flags ? Math.min(stop, 4000) : 30_000) / 1000}`, ...shell])
  return why(own.path).cause
}

/** What the job itself is. */
const argvOf = ({ argv, script }: Case) => argv ?? ['sh', '-c', script]

/** What a compiled file says, by its first line, and its status. */
interface Said {
  text: string
  kind: CauseKind
  side?: CauseKind
  level?: 'own' | 'ancestor'
  /** Of a memory limit. */
  value?: string | undefined
  count?: number
}

async function compiled(made: Case, parent: string): Promise<Said> {
  const output = `${work}/file`
  const { own = {}, flags = [] } = made
  const limits = Object.entries(own).flatMap(([name, value]) => ['--limit', `${name}=${value}`])
  const none = limits.length === 0 && !flags.includes('--sandbox') ? ['--limit', 'none'] : limits
  execFileSync(hutchFile, [
    ...[...hutchArgs, 'compile', '--output', output, '--parent', parent, ...none, ...flags, '--', ...argvOf(made)],
  ])
  const { stderr, status } = await collect(output, [])
  const line = stderr.split('\n').find((one) => one.startsWith('hutch: '))
  return line === undefined ? { text: `status ${status}`, kind: 'exited' } : parse(line.slice(7))
}

/** Of the first lines of compiled files one form each; `later`: the job went on, and ended for another reason. */
const forms: [form: RegExp, kind: CauseKind, side?: CauseKind][] = [
  [
    /^(?:(\d+) process(?:es were| was)|all processes were) killed \(OOM\): [^;]*;( later)? \S+ (?:exited|was killed)/,
    'oom',
  ],
  [
    /^(?:at least )?(\d+) forks? (?:was|were) refused: pids\.max [^;]*;( later)? \S+ (?:exited|was killed)/,
    'fork-refused',
  ],
  [/^timed out after [\d.]+ m?s, throttled by cpu\.max in \d+ % of its periods: /, 'timeout', 'throttled'],
  [/^timed out after [\d.]+ m?s, slowed \d+ times? by memory\.high(?: \([^)]+\))?: /, 'timeout', 'slowed'],
  [/^timed out after [\d.]+ m?s, stopped by a signal: /, 'timeout', 'stopped'],
  [/^timed out after [\d.]+ m?s, frozen: /, 'timeout', 'frozen'],
  [/^timed out after [\d.]+ m?s: /, 'timeout'],
  [/^\/dev\/shm was full; \S+ exited with status \d+$/, 'space'],
  [/^\S+ is at \S+ on the host, but not inside$/, 'not-inside'],
  [/^\S+ used more CPU time than ulimit cpu \(\d+ s\); \S+ was killed by SIGKILL$/, 'ulimit'],
  [/^\S+ was killed by SIG[A-Z]+, which the program itself caused$/, 'signal'],
  [/^cannot run \S+: no such program \(ENOENT\)$/, 'exec-failed'],
]

function parse(text: string): Said {
  const found = forms.flatMap(([form, kind, side]): Said[] => {
    const match = form.exec(text)
    if (!match) return []
    const [, count, later] = match
    const ofGroup = kind === 'oom' || kind === 'fork-refused'
    return [
      {
        text,
        kind: later ? 'exited' : kind,
        ...(later ? { side: kind } : side && { side }),
        ...(ofGroup && { level: /of a group above it, \S+, was reached/.test(text) ? 'ancestor' : 'own' }),
        ...(kind === 'oom' && { value: /memory\.\S+ \((.*?)\)/.exec(text)?.[1] }),
        ...(count !== undefined && { count: Number(count) }),
      },
    ]
  })
  if (found.length !== 1) throw new Error(`${found.length} forms fit: ${text}`)
  return found[0]!
}

const eventOf = ({ sideEvents }: Cause, kind: CauseKind | undefined) => sideEvents.find((event) => event.kind === kind)

function cellOf(cause: Cause): string {
  const sides = cause.sideEvents.map(({ kind, limit }) => `+${kind}${limit?.level ? `(${limit.level})` : ''}`)
  const level = cause.limit?.level
  return [`${cause.kind}${level ? `(${level})` : ''}`, ...sides, cause.confidence === 'certain' ? '' : cause.confidence]
    .filter(Boolean)
    .join(' ')
}

type Expect = typeof expect

function expectEnd(expect: Expect, cause: Cause, { kind, side, level, value }: Case): void {
  expect([cause.kind, eventOf(cause, side)?.kind]).toEqual([kind, side])
  const limit = side === undefined ? cause.limit : eventOf(cause, side)!.limit
  if (level !== undefined) expect(limit?.level).toBe(level)
  if (value !== undefined) expect(limit?.value).toBe(value)
}

/** A compiled file says the same as run: kind, side event, level, and how often. */
function expectSaid(expect: Expect, { kind, side, level, count, value }: Said, cause: Cause, made: Case): void {
  const event = side === undefined ? cause : eventOf(cause, side)
  const { limit, counts } = event ?? {}
  expect([kind, side]).toEqual([cause.kind, made.side])
  if (level !== undefined) expect(level).toBe(limit?.level)
  if (value !== undefined) expect(value).toBe(formatSize(Number(limit?.value)))
  if (count !== undefined) expect(count).toBe(counts?.oomKills ?? counts?.forksRefused)
}

/** A group tells what happened in it, and acquits nothing that a run blames. */
function expectFound(expect: Expect, cause: Cause, { found, level }: Case): void {
  // on a busy host the script waits for a CPU
  const isBusy = cause.kind === 'slowed' && cause.limit?.file === 'cpu.pressure'
  if (found === undefined) expect(isBusy || ['not-kernel', 'unknown'].includes(cause.kind), cause.kind).toBe(true)
  else expect(cause.kind).toBe(found)
  if (level !== undefined) expect(cause.limit?.level).toBe(level)
}
