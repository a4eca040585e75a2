// SPDX-License-Identifier: Apache-2.0
// One end, five ways to ask: run, a pool, a compiled file, the report, and why of the group. No way may contradict another. The table is printed.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, type expect, test } from 'vitest'
import { readHost } from '../../src/host/host.ts'
import { Cgroup, createPool, run, type StartOptions, why } from '../../src/index.ts'
import { buildDirectory } from '../../src/native.ts'
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
    requires(context, 'root')
    const group = (more: string, files: object = {}) =>
      Cgroup.create(`/hutch-test-${process.pid}-${++serial}${more}`, { files: files as never })
    await using parent = await group('-jobs', made.above)
    await using above = await group('-kept', made.above)
    const limits = made.own ?? 'none'
    const { timeout, ...plan } = made.options ?? {}
    const options = { ...plan, limits, parent: parent.path } as StartOptions
    const argv = ['-c', made.script]
    const alone = await run('sh', argv, timeout === undefined ? options : { ...options, timeout })
    const pool = await createPool({ size: 1, plan: options })
    const pooled = await pool.run(['sh', ...argv], timeout === undefined ? {} : { timeout }).finally(() => pool.close())
    const own = await Cgroup.create(`${above.path}/own`, { files: (made.own ?? {}) as never })
    const found = inGroup(own, made.script, made.flags !== undefined)
    const row = [alone.cause, pooled.cause, await compiled(made, parent.path), why(alone).cause, found]
    table.push([title, ...row.map((cell) => (typeof cell === 'string' ? cell : cellOf(cell)))])
    const { expect } = context
    for (const cause of [row[0], row[1], row[3]] as Cause[]) expectEnd(expect, cause, made)
    expectText(expect, row[2] as string, made)
    expectFound(expect, found, made)
  },
)

/** The same script by a shell that nobody watches, and what the group tells then. */
function inGroup(own: Cgroup, script: string, endless: boolean): Cause {
  const join = [...new Set(Object.values(own.directories))].map((at) => `echo 0 > ${at}/cgroup.procs`).join(';')
  spawnSync('sh', ['-c', `${join}; ${script}`], { stdio: 'ignore', ...(endless && { timeout: 1000, killSignal: 9 }) })
  return why(own.path).cause
}

async function compiled({ script, own = {}, flags = [] }: Case, parent: string): Promise<string> {
  const output = `${work}/file`
  const limits = Object.entries(own).flatMap(([name, value]) => ['--limit', `${name}=${value}`])
  const none = limits.length === 0 ? ['--limit', 'none'] : limits
  execFileSync(process.execPath, [
    ...[cli, 'compile', '--output', output, '--parent', parent, ...none, ...flags, '--', 'sh', '-c', script],
  ])
  const { stderr, status, signal } = spawnSync(output, { encoding: 'utf8' })
  return (
    stderr
      .split('\n')
      .find((line) => line.startsWith('hutch: '))
      ?.slice(7) ?? `status ${status ?? signal}`
  )
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

/** What a compiled file says has the same kind, and the level. */
const said: { [K in CauseKind]?: RegExp } = {
  oom: /killed \(OOM\)/,
  'fork-refused': /refused: pids\.max/,
  throttled: /held back by cpu\.max/,
  timeout: /^timed out/,
  ulimit: /ulimit cpu/,
  signal: /killed by SIGSEGV/,
}

function expectText(expect: Expect, text: string, { kind, side, level }: Case): void {
  // a compiled file does not look at the groups above: a refusal by one of those is not told
  if (kind === 'fork-refused' && level === 'ancestor') return
  for (const wanted of [kind, side]) if (wanted !== undefined && said[wanted]) expect(text).toMatch(said[wanted])
  if (kind === 'exited' && side === undefined) expect(text).toBe('status 3')
  if (kind === 'oom') expect(text.includes('group above')).toBe(level === 'ancestor')
}

/** A group tells what happened in it, and acquits nothing that a run blames. */
function expectFound(expect: Expect, cause: Cause, { found, level }: Case): void {
  if (found === undefined) expect(['not-kernel', 'unknown']).toContain(cause.kind)
  else expect(cause.kind).toBe(found)
  if (level !== undefined) expect(cause.limit?.level).toBe(level)
}
