// SPDX-License-Identifier: Apache-2.0
// One end, five ways to ask: run, a pool, a compiled file, the report, and why of the group. No way may contradict another. The table is printed.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, type expect, test } from 'vitest'
import { readHost } from '../../src/host/host.ts'
import { Cgroup, createPool, run, type StartOptions, why } from '../../src/index.ts'
import { buildDirectory } from '../../src/system/native.ts'
import type { Cause, CauseKind } from '../../src/verdict/cause.ts'
import { cli } from '../cli/hutch.ts'
import { requires } from '../requires.ts'
import { sampled } from '../sample.ts'

const hog = `${buildDirectory}/bin/hutch hog`
const work = mkdtempSync(`${tmpdir()}/hutch-matrix-`)
const file = `${work}/cached`
writeFileSync(file, Buffer.alloc(24 * 2 ** 20))
const table: string[][] = [['case', 'run', 'pool', 'compiled', 'report', 'why GROUP']]
afterAll(() => {
  rmSync(work, { recursive: true })
  const widths = table[0]!.map((_, i) => Math.max(...table.map((row) => row[i]!.length)))
  console.log(table.map((row) => row.map((cell, i) => cell.padEnd(widths[i]!)).join('  ')).join('\n'))
})

interface Case {
  title: string
  script: string
  /** The layout on which alone it can be made. */
  only?: 'v1 controllers' | 'v2'
  /** In place of the shell. */
  argv?: string[]
  /** Kernel files of the job's own group, of one above it. */
  own?: { [file: string]: string | number }
  above?: { [file: string]: string | number }
  options?: StartOptions
  /** The same options of `hutch compile`. */
  flags?: string[]
  /** What ended it, or happened without ending it. */
  kind: CauseKind
  side?: CauseKind
  level?: 'own' | 'ancestor'
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
    const alone = await run(program, argv, timeout === undefined ? options : { ...options, timeout })
    const pool = await createPool({ size: 1, plan: options })
    const pooled = await pool
      .run([program, ...argv], timeout === undefined ? {} : { timeout })
      .finally(() => pool.close())
    const own = await Cgroup.create(`${above.path}/own`, { files: (made.own ?? {}) as never })
    const found = inGroup(own, made)
    const file = compiled(made, parent.path)
    const row = [alone.cause, pooled.cause, file, why(alone).cause, found]
    table.push([title, ...row.map((cell) => ('text' in cell ? cell.text : cellOf(cell)))])
    const { expect } = context
    for (const cause of [row[0], row[1], row[3]] as Cause[]) expectEnd(expect, cause, made)
    expectSaid(expect, file, alone.cause, made)
    expectFound(expect, found, made)
  },
)

/** The same script by a shell that nobody watches, and what the group tells then. */
function inGroup(own: Cgroup, { script, flags }: Case): Cause {
  const join = [...new Set(Object.values(own.directories))].map((at) => `echo 0 > ${at}/cgroup.procs`).join(';')
  const stop = flags?.includes('--timeout') ? Number.parseInt(flags.at(-1)!, 10) * 1000 : 2000
  spawnSync('sh', ['-c', `${join}; ${script}`], {
    stdio: 'ignore',
    ...(flags && { timeout: Math.min(stop, 4000), killSignal: 9 }),
  })
  return why(own.path).cause
}

const argvOf = ({ argv, script }: Case) => argv ?? ['sh', '-c', script]

/** What a compiled file says, by its first line, and its status. */
interface Said {
  text: string
  kind: CauseKind
  side?: CauseKind
  /** `above` is a group above, or the host. */
  level?: 'own' | 'above'
  count?: number
}

function compiled(made: Case, parent: string): Said {
  const output = `${work}/file`
  const { own = {}, flags = [] } = made
  const limits = Object.entries(own).flatMap(([name, value]) => ['--limit', `${name}=${value}`])
  const none = limits.length === 0 ? ['--limit', 'none'] : limits
  execFileSync(process.execPath, [
    ...[cli, 'compile', '--output', output, '--parent', parent, ...none, ...flags, '--', ...argvOf(made)],
  ])
  const { stderr, status, signal } = spawnSync(output, { encoding: 'utf8' })
  const line = stderr.split('\n').find((one) => one.startsWith('hutch: '))
  return line === undefined ? { text: `status ${status ?? signal}`, kind: 'exited' } : parse(line.slice(7))
}

/** Of the first lines of compiled files one form each; `later`: the job went on, and ended for another reason. */
const forms: [form: RegExp, kind: CauseKind, side?: CauseKind][] = [
  [
    /^(?:(\d+) process(?:es were| was)|all processes were) killed \(OOM\): [^;]*;( later)? \S+ (?:exited|was killed)/,
    'oom',
  ],
  [/^out of memory \(OOM\), and nothing could be killed: memory\.max [^;]*; \S+ (?:exited|was killed)/, 'oom'],
  [
    /^(?:at least )?(\d+) forks? (?:was|were) refused: pids\.max [^;]*;( later)? \S+ (?:exited|was killed)/,
    'fork-refused',
  ],
  [/^timed out after [\d.]+ m?s, throttled by cpu\.max in \d+ % of its periods: /, 'timeout', 'throttled'],
  [/^timed out after [\d.]+ m?s, slowed \d+ times? by memory\.high: /, 'timeout', 'slowed'],
  [/^timed out after [\d.]+ m?s: /, 'timeout'],
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
        ...(ofGroup && { level: text.includes('group above') ? 'above' : 'own' }),
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

function expectEnd(expect: Expect, cause: Cause, { kind, side, level }: Case): void {
  expect([cause.kind, eventOf(cause, side)?.kind]).toEqual([kind, side])
  const limit = side === undefined ? cause.limit : eventOf(cause, side)!.limit
  if (level !== undefined) expect(limit?.level).toBe(level)
}

/** A compiled file says the same as run: kind, side event, level, and how often. */
function expectSaid(expect: Expect, { kind, side, level, count }: Said, cause: Cause, made: Case): void {
  const event = side === undefined ? cause : eventOf(cause, side)
  const { limit, counts } = event ?? {}
  expect([kind, side]).toEqual([cause.kind, made.side])
  if (level !== undefined) expect(level).toBe(limit?.level === 'own' ? 'own' : 'above')
  if (count !== undefined) expect(count).toBe(counts?.oomKills ?? counts?.forksRefused)
}

/** A group tells what happened in it, and acquits nothing that a run blames. */
function expectFound(expect: Expect, cause: Cause, { found, level }: Case): void {
  if (found === undefined) expect(['not-kernel', 'unknown']).toContain(cause.kind)
  else expect(cause.kind).toBe(found)
  if (level !== undefined) expect(cause.limit?.level).toBe(level)
}
