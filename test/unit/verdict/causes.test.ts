// SPDX-License-Identifier: Apache-2.0
// The decision list from made-up ends: each row has a case that fails without it, and neighbours never change an innocent job's cause.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Host } from '../../../src/host/host.ts'
import type { KernelKill } from '../../../src/host/kernel-record.ts'
import type { RunOptions } from '../../../src/options/options.ts'
import { compilePlan } from '../../../src/plan/compile.ts'
import type { CauseKind } from '../../../src/verdict/cause.ts'
import { conclude } from '../../../src/verdict/conclude.ts'
import {
  decide,
  decideAll,
  endRows,
  type Facts,
  figureNames,
  foundRows,
  heldRows,
  noFacts,
  restRows,
} from '../../../src/verdict/decide.ts'
import type { JobLog } from '../../../src/verdict/job-log.ts'
import { noOutcome, type Outcome } from '../../../src/verdict/outcome.ts'
import type { Result } from '../../../src/verdict/result.ts'
import { isWorthTelling } from '../../../src/verdict/words.ts'
import { hybrid, parent, plan, v2 } from '../hosts.ts'

interface End {
  host?: Host
  options?: RunOptions
  outcome?: Partial<Outcome>
  /** Texts at the end, and before the start, by the end of their paths. */
  files?: Record<string, string>
  before?: Record<string, string>
  /** Texts of groups above, read late. */
  late?: Record<string, string>
  log?: Partial<JobLog>
}

const inMemory = parent('/cg/memory/a')
const below = parent('/cg/a', { levels: [{ directory: '/cg/a', enabled: ['cpu', 'memory', 'pids'] }] })
const newer: Host = { ...v2, kernel: [6, 12] }

function end({ host = v2, options = {}, outcome = {}, files = {}, before = {}, late = {}, log }: End): Result {
  const made = plan(host, options, !options.parent ? {} : host.layout === 'v2' ? below : inMemory)
  const program = compilePlan(made)
  const spawn = program.outer.findIndex((op) => op.op === 'wait')
  const figures = new Map<number, string>()
  for (const [step, op] of program.outer.entries()) {
    if (op.op !== 'readFile' && op.op !== 'readIfFailed') continue
    const texts = step < spawn ? before : files
    const key = Object.keys(texts)
      .sort((a, b) => b.length - a.length)
      .find((name) => op.path.endsWith(name))
    if (key) figures.set(step, texts[key]!)
  }
  return conclude(made, program, {
    ...noOutcome(new Set()),
    durationMs: 1500,
    hostCpus: () => 8,
    commandStatus: 0,
    readLate: (directory, file) => late[`${directory}/${file}`],
    ...(log && { readLog: () => ({ kills: [], refusedFork: false, complete: true, ...log }) }),
    figures,
    ...outcome,
  })
}

const exit = (status: number) => ({ commandStatus: status << 8 })
const job = 'hutch-42-777-4026531836-1'
const kill = (limitGroup: string | undefined, name = 'cc1'): KernelKill => ({
  at: Date.now(),
  pid: 77,
  name,
  for: limitGroup === undefined ? 'host' : 'group',
  group: `/a/${job}`,
  ...(limitGroup !== undefined && { limitGroup }),
  virtual: 0,
  anon: 1 << 20,
  file: 0,
  shmem: 0,
})
const killed = { 'memory.events': 'oom 1\noom_kill 1\n', 'memory.events.local': 'oom 1\noom_kill 1\n' }
const limited = { limits: { memory: '50M', pids: 5 } }
const refused = { 'pids.events': 'max 1\n', 'pids.peak': '5\n' }
const space = { used: { fullSpaces: 1, fullTables: 0, tableLimit: 0 } }
const tmpfs = { isolate: 'all', mounts: [{ tmpfs: '/a:size=4M' }] } as const

test.each([
  ['a status', { outcome: exit(3) }, 'exited'],
  ['a kill of the job itself', { options: limited, outcome: { commandStatus: 9 }, files: killed }, 'oom'],
  ['a kill that a shell reports', { options: limited, outcome: exit(137), files: killed }, 'oom'],
  ...[1, 2, 101, 247, 255].map(
    (status) =>
      [
        `a kill below a program that exits with ${status}`,
        { options: limited, outcome: exit(status), files: killed },
        'oom',
      ] as const,
  ),
  ['a kill that the job lived through', { options: limited, outcome: exit(3), files: killed }, 'exited'],
  ['a kill in a pipeline that exits with 0', { options: limited, files: killed }, 'exited'],
  ['a fault after a kill', { options: limited, outcome: { commandStatus: 11 }, files: killed }, 'signal'],
  [
    'SIGKILL long after a kill',
    {
      options: limited,
      outcome: { commandStatus: 9 },
      files: killed,
      log: { kills: [{ ...kill(`/a/${job}`), at: Date.now() - 60_000 }] },
    },
    'signal',
  ],
  [
    'a kill of the whole group',
    {
      host: hybrid,
      options: { limits: { memory: '50M', oomGroup: true } },
      outcome: { commandStatus: 9, oomNoticed: true },
    },
    'oom',
  ],
  ...[4, 5, 6, 7, 11].map(
    (signal) =>
      [
        `memory that is out with nothing to kill, and signal ${signal}`,
        {
          options: limited,
          outcome: { commandStatus: signal },
          files: { 'memory.events.local': 'oom 7\noom_kill 0\n', 'memory.events': 'oom 7\noom_kill 0\n' },
        },
        'oom',
      ] as const,
  ),
  ...[1, 2, 101, 135, 247, 255].map(
    (status) =>
      [
        `memory that is out with nothing to kill, and status ${status}`,
        {
          options: limited,
          outcome: exit(status),
          files: { 'memory.events.local': 'oom 7\noom_kill 0\n', 'memory.events': 'oom 7\noom_kill 0\n' },
        },
        'oom',
      ] as const,
  ),
  ...[1, 2, 11, 71, 75, 134, 254, 255].map(
    (status) =>
      [
        `a refused fork, and status ${status}`,
        { options: limited, outcome: exit(status), files: refused },
        'fork-refused',
      ] as const,
  ),
  ...[5, 6, 11].map(
    (signal) =>
      [
        `a refused thread, and signal ${signal}`,
        { options: limited, outcome: { commandStatus: signal }, files: refused },
        'fork-refused',
      ] as const,
  ),
  ['a refused fork that the job lived through', { options: limited, outcome: exit(3), files: refused }, 'exited'],
  ['a full file system', { options: tmpfs, outcome: { ...exit(1), ...space } }, 'space'],
  ['a full file system that is mapped', { options: tmpfs, outcome: { commandStatus: 7, ...space } }, 'space'],
  ['a timeout', { options: { timeout: 10 }, outcome: { commandStatus: 15, stopCause: 'timeout' } }, 'timeout'],
  ['CPU time', { options: { cpuTime: 1 }, outcome: { commandStatus: 9, stopCause: 'cpu-time' } }, 'cpu-time'],
  ['output', { options: { maxOutput: 1 }, outcome: { commandStatus: 9, stopCause: 'output' } }, 'output'],
  ['a note of systemd-oomd', { outcome: { commandStatus: 9 }, files: { 'user.oomd_ooms': '1' } }, 'oomd'],
  ['a signal after a note of systemd-oomd', { outcome: exit(1), files: { 'user.oomd_ooms': '1' } }, 'exited'],
  ['a caller that stops it', { outcome: { commandStatus: 15, stopCause: 'aborted' } }, 'aborted'],
  [
    'a signal that was passed on',
    { outcome: { commandStatus: 15, sent: new Set([15]), forwarded: new Set([15]) } },
    'interrupted',
  ],
  [
    'a status for a signal that was passed on',
    { outcome: { ...exit(130), sent: new Set([2]), forwarded: new Set([2]) } },
    'interrupted',
  ],
  [
    'status 0 after a signal that was passed on',
    { outcome: { sent: new Set([15]), forwarded: new Set([15]) } },
    'exited',
  ],
  [
    'a failure hours after a reload',
    { outcome: { ...exit(1), sent: new Set([1]), forwarded: new Set([1]) } },
    'exited',
  ],
  ['a file that is too long', { options: { ulimits: { fsize: 1 } }, outcome: { commandStatus: 25 } }, 'ulimit'],
  [
    'CPU time of a process',
    { options: { ulimits: { cpu: 1 } }, outcome: { commandStatus: 9, userUsec: 1_010_000 } },
    'ulimit',
  ],
  [
    'SIGKILL long before that CPU time',
    { options: { ulimits: { cpu: 10 } }, outcome: { commandStatus: 9, userUsec: 10_000 } },
    'signal',
  ],
  ['a call that the filter ends it for', { options: { seccomp: 'strict' }, outcome: { commandStatus: 31 } }, 'signal'],
  [
    'a program that does not exist',
    { outcome: { execError: 'ENOENT', commandStatus: -1, ownStatus: 125 << 8 } },
    'exec-failed',
  ],
] as [string, End, CauseKind][])('%s is told as what it is', (_, made, kind) => {
  expect(end(made).cause.kind).toBe(kind)
})

const full = (usec: number) =>
  `some avg10=0.00 avg60=0.00 avg300=0.00 total=${usec + 9}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=${usec}\n`
const stopped = { commandStatus: 15, stopCause: 'timeout' } as const

/** Each with the file of the limit that held it, in a run of 1500 ms. */
const held: [string, End, string][] = [
  [
    'memory.high',
    {
      options: { limits: { memoryHigh: '20M' } },
      files: { 'memory.events.local': 'high 401\n', 'memory.pressure': full(900_000) },
    },
    'memory.high',
  ],
  [
    'memory.max that is full of page cache',
    {
      options: limited,
      files: {
        'memory.events.local': 'max 30\n',
        'memory.pressure': full(900_000),
        'memory.stat': 'workingset_refault_file 2560\n',
      },
    },
    'memory.max',
  ],
  [
    'page cache that is read again and again',
    {
      options: limited,
      files: {
        'memory.events.local': 'max 30\n',
        'memory.pressure': full(90_000),
        'memory.stat': 'workingset_refault_file 90000\n',
      },
    },
    'memory.max',
  ],
  [
    'memory.max of v1',
    {
      host: hybrid,
      options: limited,
      files: {
        'memory.max_usage_in_bytes': '52428800\n',
        'memory.limit_in_bytes': '52428800\n',
        'memory.pressure': full(900_000),
      },
    },
    'memory.max',
  ],
  [
    'cpu.max',
    {
      options: { limits: { cpus: 0.1 } },
      files: { 'cpu.stat': 'usage_usec 150000\nnr_periods 15\nnr_throttled 14\nthrottled_usec 1200000\n' },
    },
    'cpu.max',
  ],
  [
    'io.max',
    {
      options: { limits: { ioMax: '8:0:rbps=1M' } },
      files: { 'io.pressure': full(1_200_000), 'io.stat': '8:0 rbytes=1572864 wbytes=0\n' },
    },
    'io.max',
  ],
  [
    'cpuset.cpus',
    {
      options: { limits: { cpusetCpus: '0' } },
      files: { 'cpu.pressure': full(1_400_000), 'cpu.stat': 'usage_usec 1480000\n' },
    },
    'cpuset.cpus',
  ],
  [
    'memory.high of a group above',
    {
      options: { parent: 'a' },
      files: { 'a/memory.events.local': 'high 90\n', 'memory.pressure': full(900_000) },
      before: { 'a/memory.events.local': 'high 2\n' },
    },
    'memory.high',
  ],
  [
    'cpu.max of a group above',
    {
      options: { parent: 'a' },
      files: { 'cpu.pressure': full(1_200_000) },
      late: { '/cg/a/cpu.max': '20000 100000\n', '/cg/a/cpu.stat': 'nr_periods 15\nnr_throttled 14\n' },
    },
    'cpu.max',
  ],
  ['memory, whose limit is unknown', { files: { 'memory.pressure': full(1_200_000) } }, 'memory.pressure'],
  ['a disk', { files: { 'io.pressure': full(1_200_000) } }, 'io.pressure'],
]

test.each(held)('what slowed a job until its time was over is the reason: %s', (_, made, file) => {
  const { cause, verdict } = end({ ...made, options: { ...made.options, timeout: 1500 }, outcome: stopped })
  expect([cause.kind, cause.sideEvents.map(({ limit }) => limit?.file)]).toEqual(['timeout', [file]])
  expect(verdict.headline).toContain(file.endsWith('.pressure') ? 'waited for' : file)
  if (file !== 'io.pressure') expect(verdict.remedy).not.toContain('timeout')
})

const outOfMemory = { 'memory.events.local': 'oom 7\noom_kill 0\n', 'memory.events': 'oom 7\noom_kill 0\n' }
const usedUp = { fullSpaces: 0, fullTables: 0, tableLimit: 0 }

/** Each with the kind of what held it, and what the first line says. */
const still: [string, End, CauseKind, string][] = [
  ['a frozen group', { outcome: { used: { ...usedUp, frozen: true, stoppedProcesses: 1 } } }, 'frozen', 'frozen'],
  ['a stopped process', { outcome: { used: { ...usedUp, stoppedProcesses: 1 } } }, 'stopped', 'stopped by a signal'],
  [
    'memory that is out with nothing to kill',
    { options: limited, files: outOfMemory },
    'oom',
    'out of memory (OOM) at memory.max',
  ],
  [
    'a v1 group that kills nothing',
    {
      host: hybrid,
      options: limited,
      files: { 'memory.oom_control': 'oom_kill_disable 1\nunder_oom 0\noom_kill 0\n', 'memory.failcnt': '39\n' },
    },
    'oom',
    'out of memory (OOM) at memory.max',
  ],
]

test.each(still)('what held a job until its time was over is the reason: %s', (_, made, kind, words) => {
  const outcome = { ...stopped, ...made.outcome }
  const { cause, verdict } = end({ ...made, options: { ...made.options, timeout: 1500 }, outcome })
  expect([cause.kind, cause.sideEvents.map((event) => event.kind)]).toEqual(['timeout', [kind]])
  expect(verdict.headline).toContain(`, ${words}`)
  expect(verdict.remedy).not.toContain('timeout')
})

test('memory that is out with nothing to kill uses CPU time, and does not end a job that fails in its own way', () => {
  const made = { options: { ...limited, cpuTime: 1000 }, files: outOfMemory }
  const { cause, verdict } = end({ ...made, outcome: { commandStatus: 9, stopCause: 'cpu-time' } })
  expect([cause.kind, cause.sideEvents.map(({ kind }) => kind)]).toEqual(['cpu-time', ['oom']])
  expect(verdict.remedy).toContain('memory')
  const lived = end({ options: limited, files: outOfMemory, outcome: exit(3) })
  expect(lived.cause).toMatchObject({ kind: 'exited', sideEvents: [{ kind: 'oom', counts: { ooms: 7, oomKills: 0 } }] })
  expect(lived.verdict.headline).toContain('no process could be killed')
})

test('a crash after a refused fork has it as a likely reason, and says what would tell', () => {
  const { cause, verdict } = end({ options: limited, outcome: { commandStatus: 6 }, files: refused })
  expect(cause).toMatchObject({ kind: 'fork-refused', confidence: 'likely' })
  expect(verdict.headline).toMatch(/was killed by SIGABRT, possibly for this reason$/)
  expect(verdict.evidence).toContainEqual(['not certain', cause.wouldTell])
})

test.each(held)('a job that ends late by itself has it as a side event, and no remedy: %s', (_, made, file) => {
  for (const commandStatus of [0, 3 << 8]) {
    const { cause, verdict } = end({ ...made, outcome: { commandStatus } })
    const expected = file.endsWith('.pressure') ? [] : [file]
    expect([cause.kind, cause.sideEvents.map(({ limit }) => limit?.file)]).toEqual(['exited', expected])
    expect(verdict.headline).not.toContain(file)
    expect(cause.remedies).toEqual([])
    expect(isWorthTelling(cause)).toBe(false)
  }
})

test('waiting that is short, or that no limit of the job explains, is no reason', () => {
  const innocent: End[] = [
    {
      options: { limits: { memoryHigh: '20M' } },
      files: { 'memory.events.local': 'high 4\n', 'memory.pressure': full(90_000) },
    },
    { options: limited, files: { 'memory.pressure': full(400_000) } },
    {
      options: { limits: { cpusetCpus: '0' } },
      files: { 'cpu.pressure': full(1_400_000), 'cpu.stat': 'usage_usec 200000\n' },
    },
    {
      options: { limits: { cpusetCpus: '0-7' } },
      files: { 'cpu.pressure': full(1_400_000), 'cpu.stat': 'usage_usec 9480000\n' },
    },
    { files: { 'io.pressure': full(400_000) } },
  ]
  for (const made of innocent) {
    const { cause } = end({ ...made, options: { ...made.options, timeout: 1500 }, outcome: stopped })
    expect([cause.kind, cause.sideEvents]).toEqual(['timeout', []])
  }
})

test('deleting a row of the list that decides makes another kind of some figures', () => {
  for (const rows of [endRows, heldRows])
    for (const [i, row] of rows.entries()) {
      if (row.when.length === 0) continue
      const facts: Facts = { ...noFacts() }
      for (const [figure, compare, value] of row.when) if (compare !== '!=') facts[figure] = value
      if (facts.status > 0 || facts.signal > 0) facts.failed = 1
      expect(decide(rows, facts)).toBe(row)
      const rest = rows.filter((_, k) => k !== i)
      expect([row.kind, row.when, decide(rest, facts).kind]).not.toEqual([row.kind, row.when, row.kind])
    }
})

test('deleting a row of what a group may show loses its kind', () => {
  for (const row of foundRows) {
    const facts: Facts = { ...noFacts() }
    for (const [figure, , value] of row.when) facts[figure] = value
    expect([...decideAll(foundRows, facts).keys()]).toEqual([row.kind])
    const rest = foundRows.filter((other) => other !== row)
    expect([row.when, [...decideAll(rest, facts).keys()]]).toEqual([row.when, []])
  }
})

test('the kernel is ruled out only if all was read and no limit was reached', () => {
  const kindOf = (some: Partial<Facts>) => decide(restRows, { ...noFacts(), ...some }).kind
  expect([kindOf({}), kindOf({ present: 1 })]).toEqual(['not-kernel', 'running'])
  expect(decide(restRows, { ...noFacts(), present: 1, unread: 1 }).likely).toBe(true)
  fc.assert(
    fc.property(fc.nat({ max: 3 }), fc.nat({ max: 3 }), (limitsReached, unread) => {
      fc.pre(limitsReached + unread > 0)
      expect(kindOf({ limitsReached, unread })).toBe('unknown')
    }),
  )
})

test('all figures are whole numbers, and some row asks for each that a run measures', () => {
  const all = [endRows, heldRows, foundRows, restRows].flat()
  const asked = new Set(all.flatMap(({ when }) => when.map(([figure]) => figure)))
  expect(figureNames.filter((name) => !asked.has(name))).toEqual([])
})

const above = { options: { parent: 'a', ...limited } }

test('a fork that was refused to a neighbour is not the job’s, with the kernel’s log or without', () => {
  const files = { 'a/pids.events.local': 'max 5\n', 'pids.events': 'max 0\n' }
  const before = { 'a/pids.events.local': 'max 2\n' }
  const made = { host: newer, ...above, outcome: exit(1), files, before }
  expect(end({ ...made, log: {} }).cause).toMatchObject({ kind: 'exited', end: { status: 1 }, sideEvents: [] })
  const blind = end(made)
  expect(blind.cause).toMatchObject({
    kind: 'exited',
    sideEvents: [{ kind: 'fork-refused', confidence: 'unknown', limit: { group: '/cg/a', level: 'ancestor' } }],
  })
  expect([blind.reason, blind.verdict.evidence.at(-1)]).toEqual([
    'exit',
    ['meanwhile', '3 forks were refused below /cg/a by its pids.max; it is unknown whether the job wanted to fork'],
  ])
  // the log names the group that wanted to fork
  const own = end({ ...made, log: { refusedFork: true }, late: { '/cg/a/pids.max': '14\n' } }).cause
  expect(own).toMatchObject({
    kind: 'fork-refused',
    limit: { file: 'pids.max', value: 14, group: '/cg/a', level: 'ancestor' },
  })
})

test('whatever happens to neighbours, a job that ends by itself is told the same', () => {
  const count = fc.nat({ max: 9 })
  fc.assert(
    fc.property(count, count, fc.constantFrom(1, 2, 3, 137, 254), (forks, ooms, status) => {
      const files = {
        'memory.events': 'oom 0\noom_kill 0\n',
        [`${job}/memory.events.local`]: 'oom 0\noom_kill 0\n',
        'pids.events': 'max 0\n',
        'a/pids.events.local': `max ${forks}\n`,
        'a/memory.events.local': `oom ${ooms}\noom_kill ${ooms}\n`,
      }
      const before = { 'a/pids.events.local': 'max 0\n', 'a/memory.events.local': 'oom 0\n' }
      const { cause } = end({ host: newer, ...above, outcome: exit(status), files, before, log: {} })
      expect([cause.kind, cause.sideEvents, cause.end.status]).toEqual(['exited', [], status])
    }),
  )
})

test('the kernel’s log names the level that killed, whatever page cache has done to the peaks', () => {
  const files = {
    'memory.oom_control': 'oom_kill 1\n',
    'memory.max_usage_in_bytes': `${50 * 2 ** 20}\n`,
    'memory.limit_in_bytes': `${50 * 2 ** 20}\n`,
  }
  const group = (limit: string | undefined) =>
    end({ host: hybrid, ...above, outcome: { commandStatus: 9 }, files, log: { kills: [kill(limit)] } }).cause
  expect(group(`/a/${job}`)).toMatchObject({ confidence: 'certain', limit: { level: 'own', value: 50 * 2 ** 20 } })
  expect(group('/a')).toMatchObject({ confidence: 'certain', limit: { level: 'ancestor', group: '/cg/memory/a' } })
  expect(group(`/a/${job}/x`)).toMatchObject({ limit: { level: 'below' } })
  expect(group(undefined)).toMatchObject({ limit: { level: 'host' } })
  // without the log, the job's own peak proves nothing while a group above was full, too
  const late = { '/cg/memory/a/memory.max_usage_in_bytes': '1000000', '/cg/memory/a/memory.limit_in_bytes': '1000000' }
  const blind = end({ host: hybrid, ...above, outcome: { commandStatus: 9 }, files, late }).cause
  expect(blind).toMatchObject({
    kind: 'oom',
    confidence: 'unknown',
    wouldTell: expect.stringContaining('/cg/memory/a'),
  })
})

test('the limit is the one at the end, also one that was set by its v1 name', () => {
  const lowered = end({ options: limited, outcome: exit(137), files: { ...killed, 'memory.max': '1048576\n' } })
  expect(lowered.cause.limit).toMatchObject({ file: 'memory.max', value: 1_048_576 })
  expect(lowered.verdict.evidence[0]![1]).toMatch(/^1\.0 MiB/)
  const named = end({
    host: hybrid,
    options: { limits: { 'memory.limit_in_bytes': '40M' } },
    outcome: { commandStatus: 9 },
    files: {
      'memory.oom_control': 'oom_kill 1\n',
      'memory.limit_in_bytes': '41943040\n',
      'memory.max_usage_in_bytes': '41943040\n',
    },
  })
  expect(named.cause.limit).toMatchObject({ file: 'memory.limit_in_bytes', value: 41_943_040, level: 'own' })
})

test('what held up a job whose time was over is the remedy', () => {
  const cpu =
    'usage_usec 100000\nuser_usec 100000\nsystem_usec 0\nnr_periods 10\nnr_throttled 10\nthrottled_usec 800000\n'
  const throttled = end({
    options: { timeout: 1000, limits: { cpus: 0.1 } },
    outcome: { commandStatus: 15, stopCause: 'timeout' },
    files: { 'cpu.stat': cpu },
  })
  expect(throttled.cause.sideEvents).toMatchObject([{ kind: 'throttled' }])
  expect(throttled.cause.remedies).toMatchObject([{ option: { name: 'limits.cpus', value: '0.9' } }])
  expect(throttled.verdict.headline).toBe(
    'timed out after 1.0 s, throttled by cpu.max in 100 % of its periods: job ended on SIGTERM',
  )
  const slowed = end({
    options: { timeout: 1000, limits: { memoryHigh: '20M' } },
    outcome: { commandStatus: 15, stopCause: 'timeout' },
    files: { 'memory.events.local': 'high 401\n', 'memory.pressure': 'some total=1400000\nfull total=1400000\n' },
  })
  expect(slowed.cause).toMatchObject({ kind: 'timeout', sideEvents: [{ kind: 'slowed', counts: { slowed: 401 } }] })
})
